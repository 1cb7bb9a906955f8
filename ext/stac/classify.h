/*
 * Mask values -> cloud and nodata bits, by the SQL expressions of a rule. Narrow masks by a table
 * of every value, wide ones value by value.
 */
#ifndef SC_STAC_CLASSIFY_H
#define SC_STAC_CLASSIFY_H

#include <stdint.h>

#include "base/status.h"
#include "raster/valid.h"
#include "stac/rules.h"

#define SC_RULE_CLOUD 1 /* bits of a classified value */
#define SC_RULE_NODATA 2

/*
 * Bits of every value of an 8 or 16 bit mask, by stored bit pattern: 256 or 65536 entries.
 * NULL cloud expression (a mask that knows no clouds) leaves the bit 0.
 *
 * validity  Of the mask's band: `nd` is 1 for its nodata value.
 * masked    Nonzero: of pixels that the file's mask or alpha calls invalid, `nd` is 1 for all.
 */
sc_status sc_rules_table(struct sc_rules *rules, const struct sc_rule *rule,
                         const struct sc_validity *validity, int masked, uint8_t *table,
                         struct sc_error *err);

/*
 * Rules that look at `nd` alone ("nodata": "nd") need no value: *by_nodata is then set and
 * bits[0] and bits[1] are those of nd = 0 and nd = 1.
 */
sc_status sc_rules_by_nodata(struct sc_rules *rules, const struct sc_rule *rule, int *by_nodata,
                             uint8_t bits[2], struct sc_error *err);

/* Bits of single values of wider masks; each distinct one is evaluated once. */
struct sc_classifier;
sc_status sc_classifier_new(struct sc_rules *rules, const struct sc_rule *rule, enum sc_dtype dtype,
                            struct sc_classifier **out, struct sc_error *err);
/* See sc_mask_job.classify; `classifier` is the context. Locked inside. */
sc_status sc_classifier_bits(void *classifier, double real, int64_t integer, int nd, uint8_t *bits,
                             struct sc_error *err);
void sc_classifier_free(struct sc_classifier *classifier);

#endif
