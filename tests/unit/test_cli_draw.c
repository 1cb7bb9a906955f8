/* ext/cli/draw.c against Python 3.12's random: seed(), sample(range(n), k), then choice(range(9)).
 */
#include "cli/draw.h"

#include "check.h"

static const struct {
  uint64_t seed;
  uint32_t n, k, first[4], digest; /* of the sample: h = 31 h + v */
  uint32_t choice;                 /* drawn next */
} python[] = {
    {UINT64_C(0), 5, 2, {3, 4}, UINT32_C(97), 0},
    {UINT64_C(1), 5, 2, {1, 0}, UINT32_C(31), 4},
    {UINT64_C(7), 6, 1, {2}, UINT32_C(2), 2},
    {UINT64_C(42), 25, 12, {20, 3, 0, 8}, UINT32_C(3481853758), 1},
    {UINT64_C(42), 1000, 10, {654, 114, 25, 759}, UINT32_C(56511235), 8},
    {UINT64_C(42), 20000, 2000, {3648, 819, 9012, 8024}, UINT32_C(3865485095), 0},
    {UINT64_C(4294967301), 12, 4, {2, 7, 4, 0}, UINT32_C(66433), 5},
    {UINT64_C(621544), 12, 4, {10, 4, 9, 3}, UINT32_C(302036), 6},
    {UINT64_C(123456789), 300, 150, {226, 277, 203, 155}, UINT32_C(1218278617), 8},
};

int main(void) {
  check_case("samples_and_choices_are_pythons");
  for (size_t i = 0; i < sizeof python / sizeof *python; i++) {
    static uint32_t out[2000];
    struct sc_draw d;
    struct sc_error err = {0};
    uint32_t digest = 0;
    sc_draw_seed(&d, python[i].seed);
    CHECK_INT(SC_OK, sc_draw_sample(&d, python[i].n, python[i].k, out, &err));
    for (uint32_t k = 0; k < python[i].k; k++) {
      if (k < 4) CHECK_INT(python[i].first[k], out[k]);
      digest = digest * 31 + out[k];
    }
    CHECK_INT(python[i].digest, digest);
    CHECK_INT(python[i].choice, sc_draw_below(&d, 9));
  }
  return check_report();
}
