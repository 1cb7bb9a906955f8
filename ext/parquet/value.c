/* Parquet values as SQL values; see value.h. */
#include "parquet/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/datetime.h"

#define DAY_SECONDS 86400
#define JULIAN_EPOCH_DAY 2440588 /* of 1970-01-01: INT96 counts days so */
#define DOUBLE_DIGITS 15         /* any decimal of that many digits survives a double */
#define DECIMAL_MAX_BYTES 16     /* 38 digits, as far as other systems go */

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

static void set_scratch(struct sc_pq_sql *out, int n) {
  out->type = SC_PQ_SQL_TEXT;
  out->bytes = out->scratch;
  out->size = n < 0 ? 0 : (size_t)n < sizeof out->scratch ? (size_t)n : sizeof out->scratch - 1;
}

static int64_t power_of_ten(int n) {
  int64_t p = 1;
  while (n-- > 0) p *= 10;
  return p;
}

/* HH:MM:SS and the fraction, of a number of units since midnight. */
static int format_time(int64_t units, int digits, char *out, size_t size) {
  int64_t per_second = power_of_ten(digits), seconds = units / per_second;
  return snprintf(out, size, "%02d:%02d:%02d.%0*lld", (int)(seconds / 3600),
                  (int)(seconds / 60 % 60), (int)(seconds % 60), digits,
                  (long long)(units % per_second));
}

static void set_time(const struct sc_pq_leaf *leaf, int64_t units, struct sc_pq_sql *out) {
  if (units < 0 || units / power_of_ten(leaf->unit_digits) > DAY_SECONDS) {
    out->type = SC_PQ_SQL_INT; /* no time of day: show what is stored */
    out->i = units;
    return;
  }
  set_scratch(out, format_time(units, leaf->unit_digits, out->scratch, sizeof out->scratch));
}

static void set_timestamp(int64_t days, int64_t units, int digits, int is_utc,
                          struct sc_pq_sql *out) {
  int n = sc_date_format(days, out->scratch, sizeof out->scratch);
  n += snprintf(out->scratch + n, sizeof out->scratch - (size_t)n, "T");
  n += format_time(units, digits, out->scratch + n, sizeof out->scratch - (size_t)n);
  if (is_utc) n += snprintf(out->scratch + n, sizeof out->scratch - (size_t)n, "Z");
  set_scratch(out, n);
}

static void set_int_timestamp(const struct sc_pq_leaf *leaf, int64_t units, struct sc_pq_sql *out) {
  int64_t per_day = power_of_ten(leaf->unit_digits) * DAY_SECONDS;
  int64_t days = units / per_day, rest = units % per_day;
  if (rest < 0) {
    rest += per_day;
    days--;
  }
  set_timestamp(days, rest, leaf->unit_digits, leaf->is_utc, out);
}

static void set_int96(const unsigned char *p, struct sc_pq_sql *out) {
  int64_t nanoseconds = (int64_t)sc_le64(p), per_day = INT64_C(86400000000000);
  int64_t days = (int64_t)sc_le32(p + 8) - JULIAN_EPOCH_DAY + nanoseconds / per_day;
  int64_t rest = nanoseconds % per_day;
  if (rest < 0) {
    rest += per_day;
    days--;
  }
  set_timestamp(days, rest, 9, 0, out);
}

static void set_uint(const struct sc_pq_leaf *leaf, int64_t i, struct sc_pq_sql *out) {
  uint64_t u = leaf->type == SC_PQ_INT32 ? (uint32_t)i : (uint64_t)i;
  if (u <= INT64_MAX) {
    out->type = SC_PQ_SQL_INT;
    out->i = (int64_t)u;
  } else {
    set_scratch(out, snprintf(out->scratch, sizeof out->scratch, "%llu", (unsigned long long)u));
  }
}

static void set_uuid(const unsigned char *p, struct sc_pq_sql *out) {
  int n = 0;
  for (int i = 0; i < 16; i++) {
    const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
    n += snprintf(out->scratch + n, sizeof out->scratch - (size_t)n, "%s%02x", dash, p[i]);
  }
  set_scratch(out, n);
}

static double half_to_double(uint16_t h) {
  int exponent = h >> 10 & 31, fraction = h & 1023;
  double r = exponent == 0    ? ldexp(fraction, -24)
             : exponent == 31 ? (fraction ? NAN : HUGE_VAL)
                              : ldexp(fraction + 1024, exponent - 25);
  return h & 0x8000 ? -r : r;
}

/* Digits of a 128 bit magnitude into text, the least significant last; returns the length. */
static int format_u128(u128 u, char *out) {
  char reversed[40];
  int n = 0;
  do {
    reversed[n++] = (char)('0' + (int)(u % 10));
    u /= 10;
  } while (u);
  for (int i = 0; i < n; i++) out[i] = reversed[n - 1 - i];
  return n;
}

/* The text of unscaled * 10^-scale. scale < 40. */
static void set_decimal_text(i128 unscaled, int scale, struct sc_pq_sql *out) {
  char digits[40], *p = out->scratch;
  u128 u = unscaled < 0 ? 0 - (u128)unscaled : (u128)unscaled;
  int n = format_u128(u, digits), whole = n > scale ? n - scale : 0;
  if (unscaled < 0) *p++ = '-';
  if (whole == 0) *p++ = '0';
  memcpy(p, digits, (size_t)whole);
  p += whole;
  if (scale) *p++ = '.';
  for (int i = n; i < scale; i++) *p++ = '0';
  memcpy(p, digits + whole, (size_t)(n - whole));
  p += n - whole;
  set_scratch(out, (int)(p - out->scratch));
}

static void set_decimal(const struct sc_pq_leaf *leaf, i128 unscaled, struct sc_pq_sql *out) {
  if (leaf->scale == 0 && unscaled >= INT64_MIN && unscaled <= INT64_MAX) {
    out->type = SC_PQ_SQL_INT;
    out->i = (int64_t)unscaled;
  } else if (leaf->precision <= DOUBLE_DIGITS && leaf->scale <= DOUBLE_DIGITS) {
    out->type = SC_PQ_SQL_REAL;
    out->r = (double)unscaled / (double)power_of_ten(leaf->scale); /* both exact: one rounding */
  } else {
    set_decimal_text(unscaled, leaf->scale, out);
  }
}

static void set_blob(const struct sc_pq_value *v, struct sc_pq_sql *out) {
  out->type = SC_PQ_SQL_BLOB;
  out->bytes = (const char *)v->as.bytes;
  out->size = v->size;
}

/* Big-endian two's complement of up to 16 bytes; wider numbers stay bytes. */
static void set_decimal_bytes(const struct sc_pq_leaf *leaf, const struct sc_pq_value *v,
                              struct sc_pq_sql *out) {
  if (v->size == 0 || v->size > DECIMAL_MAX_BYTES || leaf->scale > 38) {
    set_blob(v, out);
    return;
  }
  u128 u = v->as.bytes[0] & 0x80 ? ~(u128)0 : 0;
  for (uint32_t i = 0; i < v->size; i++) u = u << 8 | v->as.bytes[i];
  set_decimal(leaf, (i128)u, out);
}

static void set_int(const struct sc_pq_leaf *leaf, int64_t i, struct sc_pq_sql *out) {
  switch (leaf->kind) {
    case SC_PQ_KIND_UINT: set_uint(leaf, i, out); return;
    case SC_PQ_KIND_DATE:
      set_scratch(out, sc_date_format(i, out->scratch, sizeof out->scratch));
      return;
    case SC_PQ_KIND_TIME: set_time(leaf, i, out); return;
    case SC_PQ_KIND_TIMESTAMP: set_int_timestamp(leaf, i, out); return;
    case SC_PQ_KIND_DECIMAL:
      if (leaf->scale <= 38) {
        set_decimal(leaf, i, out);
        return;
      }
      break;
    default: break;
  }
  out->type = SC_PQ_SQL_INT;
  out->i = i;
}

static void set_bytes(const struct sc_pq_leaf *leaf, const struct sc_pq_value *v,
                      struct sc_pq_sql *out) {
  switch (leaf->kind) {
    case SC_PQ_KIND_DECIMAL: set_decimal_bytes(leaf, v, out); return;
    case SC_PQ_KIND_UUID: set_uuid(v->as.bytes, out); return;
    case SC_PQ_KIND_TIMESTAMP: set_int96(v->as.bytes, out); return;
    case SC_PQ_KIND_FLOAT16:
      out->type = SC_PQ_SQL_REAL;
      out->r = half_to_double(sc_le16(v->as.bytes));
      return;
    default: set_blob(v, out);
  }
  if (leaf->kind == SC_PQ_KIND_TEXT) out->type = SC_PQ_SQL_TEXT;
}

void sc_pq_value_to_sql(const struct sc_pq_leaf *leaf, const struct sc_pq_value *v,
                        struct sc_pq_sql *out) {
  if (v->size == SC_PQ_NULL || leaf->kind == SC_PQ_KIND_NULL) {
    out->type = SC_PQ_SQL_NULL;
    return;
  }
  switch (leaf->type) {
    case SC_PQ_BOOLEAN:
      out->type = SC_PQ_SQL_INT;
      out->i = v->as.i;
      return;
    case SC_PQ_INT32:
    case SC_PQ_INT64: set_int(leaf, v->as.i, out); return;
    case SC_PQ_FLOAT:
    case SC_PQ_DOUBLE:
      out->type = isnan(v->as.r) ? SC_PQ_SQL_NULL : SC_PQ_SQL_REAL;
      out->r = v->as.r;
      return;
    default: set_bytes(leaf, v, out);
  }
}

int sc_pq_value_from_bound(const struct sc_pq_leaf *leaf, const struct sc_view *bound,
                           struct sc_pq_value *out) {
  const unsigned char *p = bound->data;
  float f;
  uint32_t u;
  size_t width = leaf->type == SC_PQ_BOOLEAN ? 1 : sc_pq_type_bytes(leaf->type, 0);
  if (!p || (width && bound->size != width) || bound->size >= SC_PQ_NULL) return 0;
  out->size = 0;
  switch (leaf->type) {
    case SC_PQ_BOOLEAN: out->as.i = p[0] != 0; return 1;
    case SC_PQ_INT32: out->as.i = (int32_t)sc_le32(p); return 1;
    case SC_PQ_INT64: out->as.i = (int64_t)sc_le64(p); return 1;
    case SC_PQ_FLOAT:
      u = sc_le32(p);
      memcpy(&f, &u, 4);
      out->as.r = (double)f;
      return 1;
    case SC_PQ_DOUBLE: out->as.r = sc_le_double(p); return 1;
    default:
      out->as.bytes = p;
      out->size = (uint32_t)bound->size;
      return 1;
  }
}

int sc_pq_leaf_is_ordered(const struct sc_pq_leaf *leaf) {
  switch (leaf->kind) {
    case SC_PQ_KIND_PLAIN:
    case SC_PQ_KIND_TEXT:
    case SC_PQ_KIND_DATE:
    case SC_PQ_KIND_UINT: return leaf->type != SC_PQ_INT96;
    case SC_PQ_KIND_TIME:
    case SC_PQ_KIND_TIMESTAMP: return leaf->type != SC_PQ_INT96;
    default: return 0;
  }
}

const char *sc_pq_sql_type_name(const struct sc_pq_leaf *leaf) {
  switch (leaf->kind) {
    case SC_PQ_KIND_TEXT:
    case SC_PQ_KIND_DATE:
    case SC_PQ_KIND_TIME:
    case SC_PQ_KIND_TIMESTAMP:
    case SC_PQ_KIND_UUID: return "TEXT";
    case SC_PQ_KIND_DECIMAL: return "NUMERIC";
    case SC_PQ_KIND_FLOAT16: return "REAL";
    default: break;
  }
  switch (leaf->type) {
    case SC_PQ_BOOLEAN:
    case SC_PQ_INT32:
    case SC_PQ_INT64: return "INTEGER";
    case SC_PQ_FLOAT:
    case SC_PQ_DOUBLE: return "REAL";
    default: return "BLOB";
  }
}
