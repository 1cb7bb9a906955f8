/*
 * The area of a query against chips: what the boxes of a block say of a predicate (predicates.h),
 * and the chip's geometry where they leave it open.
 */
#ifndef SC_MERGE_SPATIAL_H
#define SC_MERGE_SPATIAL_H

#include "base/sqlite.h"
#include "base/status.h"
#include "index/predicates.h"
#include "merge/chip_block.h"

/* An area that chips are compared with. Zeroed is empty; sc_area_free(). */
struct sc_area {
  int predicate;
  unsigned char *blob; /* owned */
  size_t size;
  struct sc_box box;
  int is_rectangle; /* its polygon is its bounding box */
};

enum sc_match { SC_MATCH_NO = 0, SC_MATCH_YES, SC_MATCH_MAYBE };

/*
 * Take over a query geometry: not NULL. SC_BAD_ARG when it is no geometry, or of another
 * SRID than 4326 (0 and -1 pass).
 */
sc_status sc_area_init(struct sc_predicates *p, int predicate, sqlite3_value *value,
                       struct sc_area *out, struct sc_error *err);
void sc_area_free(struct sc_area *area);

/* What the boxes of a chip of the block say. */
enum sc_match sc_area_test(const struct sc_area *area, const struct sc_chip_block *block,
                           const struct sc_chip_entry *chip);

/* What the predicate says of a chip's geometry. */
sc_status sc_area_evaluate(struct sc_predicates *p, const struct sc_area *area, const void *blob,
                           size_t size, int *out, struct sc_error *err);

#endif
