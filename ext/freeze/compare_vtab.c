/* Give a connection stacchip_freeze_check(path) and stacchip_freeze_diff(a, b). */
#include "freeze/compare.h"

int sc_compare_register(struct sc_connection *c) {
  int code = sc_register_table(c, &sc_freeze_check);
  return code ? code : sc_register_table(c, &sc_freeze_diff);
}
