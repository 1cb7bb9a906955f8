/*
 * stacchip_plot(json): histograms of the bands that stacchip_band_stats() or
 * stacchip_band_stats_merge() describes, as SVG. NULL gives NULL. Pure.
 *
 * The bars come from the 201 quantiles: between two of them lies half a percent of the pixels.
 * Scalable Vector Graphics 1.1; colours follow the reader's light or dark scheme.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "connection.h"

#define WHAT "stacchip_plot"
#define BANDS_MAX 256
#define N_QUANTILES 201
#define N_BARS 88
#define LEFT 120 /* pixels: room for names */
#define PLOT_WIDTH 440
#define WIDTH 700
#define TOP 18
#define PANEL_HEIGHT 60
#define BAND_HEIGHT 92 /* with its axis */
#define TICKS_MAX 16

struct band {
  const char *name;
  int has_pixels;
  double quantiles[N_QUANTILES];
  double count, mean, std, least, most; /* the last two: of the axis */
};

/* --- reading --- */

static sc_status fail_json(const char *key, struct sc_error *err) {
  return sc_fail(err, SC_BAD_ARG,
                 WHAT ": expected the JSON of stacchip_band_stats(), found another value at '%s'",
                 key);
}

/* Number `band` of a list of the object. */
static sc_status read_number(const cJSON *json, const char *key, int band, double *out,
                             struct sc_error *err) {
  const cJSON *v = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, key), band);
  if (!cJSON_IsNumber(v) || !isfinite(v->valuedouble)) return fail_json(key, err);
  *out = v->valuedouble;
  return SC_OK;
}

static sc_status read_quantiles(const cJSON *list, struct band *b, struct sc_error *err) {
  const cJSON *v;
  int n = 0;
  if (!cJSON_IsArray(list)) return fail_json("quantiles", err);
  cJSON_ArrayForEach(v, list) {
    if (n == N_QUANTILES || !cJSON_IsNumber(v) || !isfinite(v->valuedouble) ||
        (n && v->valuedouble < b->quantiles[n - 1]))
      return fail_json("quantiles", err);
    b->quantiles[n++] = v->valuedouble;
  }
  b->has_pixels = n > 0;
  return n == 0 || n == N_QUANTILES ? SC_OK : fail_json("quantiles", err);
}

/* The axis leaves out half a percent on each side, which may lie far away. */
static void choose_axis(struct band *b) {
  double low = b->quantiles[1], high = b->quantiles[N_QUANTILES - 2];
  double margin = high > low ? (high - low) / 40 : fmax(fabs(low), 1) / 2;
  b->least = low - margin;
  b->most = high + margin;
}

static sc_status read_band(const cJSON *json, int i, struct band *b, struct sc_error *err) {
  const cJSON *name = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "assets"), i);
  const cJSON *lists = cJSON_GetObjectItemCaseSensitive(json, "quantiles");
  if (!cJSON_IsString(name)) return fail_json("assets", err);
  b->name = name->valuestring;
  sc_status st = read_quantiles(cJSON_GetArrayItem(lists, i), b, err);
  if (st || !b->has_pixels) return st;
  st = read_number(json, "count", i, &b->count, err);
  if (!st) st = read_number(json, "mean", i, &b->mean, err);
  if (!st) st = read_number(json, "std", i, &b->std, err);
  choose_axis(b);
  return st || (isfinite(b->least) && isfinite(b->most)) ? st : fail_json("quantiles", err);
}

/* --- writing --- */

/* A number of the data as people read it, whatever the host's locale. */
static sc_status put_number(double v, int digits, struct sc_buffer *out, struct sc_error *err) {
  char text[40];
  int is_whole = v == floor(v) && fabs(v) < 1e15;
  if (is_whole) sqlite3_snprintf(sizeof text, text, "%lld", (sqlite3_int64)v);
  if (!is_whole) sqlite3_snprintf(sizeof text, text, "%.*g", digits, v);
  return sc_buffer_append_text(out, text, err);
}

/* A length or place in pixels, to a tenth. */
static sc_status put_px(double v, struct sc_buffer *out, struct sc_error *err) {
  long tenths = lround(v * 10);
  return sc_buffer_printf(out, err, "%ld.%ld", tenths / 10, tenths % 10);
}

/* How many bytes a character of valid UTF-8 that XML allows has; 0: none begins here. */
static size_t character_bytes(const unsigned char *p) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t n = *p < 0x80 ? 1 : *p >= 0xF0 && *p < 0xF8 ? 4 : *p >= 0xE0 ? 3 : *p >= 0xC2 ? 2 : 0;
  if (n == 0 || *p >= 0xF8) return 0;
  if (n == 1) return *p >= 0x20 && *p != 0x7F;
  uint32_t c = *p & (0xFFU >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
    c = c << 6 | (p[i] & 0x3F);
  }
  int is_allowed = c >= least[n] && c <= 0x10FFFF && !(c >= 0xD800 && c < 0xE000) &&
                   !(c >= 0x7F && c < 0xA0) && c != 0xFFFE && c != 0xFFFF;
  return is_allowed ? n : 0;
}

/* A text of strangers in XML, of at most `most` characters. */
static sc_status put_text(const char *text, int most, struct sc_buffer *out, struct sc_error *err) {
  const unsigned char *p = (const unsigned char *)text;
  sc_status st = SC_OK;
  for (int i = 0; *p && !st; i++) {
    size_t n = character_bytes(p);
    if (i == most) return sc_buffer_append_text(out, "\xE2\x80\xA6", err); /* an ellipsis */
    const char *escaped = *p == '<'   ? "&lt;"
                          : *p == '>' ? "&gt;"
                          : *p == '&' ? "&amp;"
                          : *p == '"' ? "&quot;"
                          : n == 0    ? "\xEF\xBF\xBD" /* the replacement character */
                                      : NULL;
    st = escaped ? sc_buffer_append_text(out, escaped, err) : sc_buffer_append(out, p, n, err);
    p += n ? n : 1;
  }
  return st;
}

/* Attributes are for readers that know no variables; the rules are for this picture alone, also
 * inside of a page. */
static const char head[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"stacchip-plot\" viewBox=\"0 0 %d %d\" "
    "width=\"%d\" height=\"%d\" role=\"img\" font-family=\"system-ui, sans-serif\" "
    "font-size=\"12\">\n"
    "<title>Histograms of %d bands</title>\n"
    "<style>\n"
    ".stacchip-plot { --paper: #ffffff; --ink: #1f2328; --faint: #656d76; --line: #d0d7de; "
    "--red: #c8403a; --green: #3f8f4f; --blue: #3b6fd0; --other: #56707f; }\n"
    "@media (prefers-color-scheme: dark) { .stacchip-plot { --paper: #0d1117; --ink: #e6edf3; "
    "--faint: #9aa4af; --line: #3a424c; "
    "--red: #ff8078; --green: #6fcf85; --blue: #79a8ff; --other: #9db8c8; } }\n"
    ".stacchip-plot .paper { fill: var(--paper); } .stacchip-plot .ink { fill: var(--ink); }\n"
    ".stacchip-plot .faint { fill: var(--faint); } .stacchip-plot .line { stroke: var(--line); }\n"
    ".stacchip-plot .median { stroke: var(--ink); }\n"
    ".stacchip-plot .red { fill: var(--red); } .stacchip-plot .green { fill: var(--green); }\n"
    ".stacchip-plot .blue { fill: var(--blue); } .stacchip-plot .other { fill: var(--other); }\n"
    "</style>\n"
    "<rect class=\"paper\" fill=\"#ffffff\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n";

/* Bands of the three colours are drawn in them. */
static const struct color {
  const char *name, *color;
} colors[] = {{"red", "#c8403a"}, {"green", "#3f8f4f"}, {"blue", "#3b6fd0"}, {"other", "#56707f"}};

static int color_of(const char *name) {
  int i = 0;
  while (i < 3 && strcmp(name, colors[i].name) != 0) i++;
  return i;
}

/* The share of pixels at or below a value. */
static double share_below(const struct band *b, double v) {
  int i = N_QUANTILES - 1;
  const double *q = b->quantiles;
  if (v < q[0]) return 0;
  if (v >= q[i]) return 1;
  while (q[i] > v) i--;
  return (i + (v - q[i]) / (q[i + 1] - q[i])) / (N_QUANTILES - 1);
}

static double place_x(const struct band *b, double v) {
  return LEFT + (v - b->least) / (b->most - b->least) * PLOT_WIDTH;
}

static sc_status put_bars(const struct band *b, int top, struct sc_buffer *out,
                          struct sc_error *err) {
  const struct color *color = &colors[color_of(b->name)];
  double shares[N_BARS], most = 0, step = (b->most - b->least) / N_BARS;
  for (int i = 0; i < N_BARS; i++) {
    shares[i] = share_below(b, b->least + (i + 1) * step) - share_below(b, b->least + i * step);
    most = fmax(most, shares[i]);
  }
  int floor_y = top + PANEL_HEIGHT;
  sc_status st = sc_buffer_printf(out, err, "<path class=\"%s\" fill=\"%s\" d=\"M%d %d",
                                  color->name, color->color, LEFT, floor_y);
  for (int i = 0; i < N_BARS && !st; i++) {
    st = sc_buffer_append_text(out, "V", err);
    if (!st) st = put_px(floor_y - (most > 0 ? shares[i] / most : 0) * PANEL_HEIGHT, out, err);
    if (!st) st = sc_buffer_printf(out, err, "h%d", PLOT_WIDTH / N_BARS);
  }
  return st ? st : sc_buffer_printf(out, err, "V%dZ\"/>\n", floor_y);
}

/* A step of 1, 2 or 5 times a power of ten that divides the axis into four parts or a few more. */
static double tick_step(const struct band *b) {
  double rough = (b->most - b->least) / 4, power = pow(10, floor(log10(rough)));
  return rough >= 5 * power ? 5 * power : rough >= 2 * power ? 2 * power : power;
}

static sc_status put_axis(const struct band *b, int top, struct sc_buffer *out,
                          struct sc_error *err) {
  double step = tick_step(b), first = ceil(b->least / step);
  int floor_y = top + PANEL_HEIGHT;
  sc_status st =
      sc_buffer_printf(out, err, "<path class=\"line\" stroke=\"#d0d7de\" d=\"M%d %dh%d\"/>\n",
                       LEFT, floor_y, PLOT_WIDTH);
  for (int i = 0; i < TICKS_MAX && (first + i) * step <= b->most && !st; i++) {
    st = sc_buffer_append_text(
        out, "<text class=\"faint\" fill=\"#656d76\" text-anchor=\"middle\" x=\"", err);
    if (!st) st = put_px(place_x(b, (first + i) * step), out, err);
    if (!st) st = sc_buffer_printf(out, err, "\" y=\"%d\">", floor_y + 16);
    if (!st) st = put_number((first + i) * step, 10, out, err);
    if (!st) st = sc_buffer_append_text(out, "</text>\n", err);
  }
  return st;
}

static sc_status put_median(const struct band *b, int top, struct sc_buffer *out,
                            struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "<path class=\"median\" stroke=\"#1f2328\" d=\"M", err);
  if (!st) st = put_px(place_x(b, b->quantiles[N_QUANTILES / 2]), out, err);
  return st ? st : sc_buffer_printf(out, err, " %dv%d\"/>\n", top, PANEL_HEIGHT);
}

static sc_status put_line(const char *word, double v, int y, struct sc_buffer *out,
                          struct sc_error *err) {
  sc_status st =
      sc_buffer_printf(out, err, "<text class=\"faint\" fill=\"#656d76\" x=\"%d\" y=\"%d\">%s ",
                       LEFT + PLOT_WIDTH + 12, y, word);
  if (!st) st = put_number(v, 6, out, err);
  return st ? st : sc_buffer_append_text(out, "</text>\n", err);
}

static sc_status put_numbers(const struct band *b, int top, struct sc_buffer *out,
                             struct sc_error *err) {
  sc_status st = put_line("median", b->quantiles[N_QUANTILES / 2], top + 14, out, err);
  if (!st) st = put_line("mean", b->mean, top + 30, out, err);
  if (!st) st = put_line("std", b->std, top + 46, out, err);
  return st ? st : put_line("pixels", b->count, top + 62, out, err);
}

static sc_status put_band(const struct band *b, int i, struct sc_buffer *out,
                          struct sc_error *err) {
  int top = TOP + i * BAND_HEIGHT;
  sc_status st = sc_buffer_printf(out, err,
                                  "<g>\n<text class=\"ink\" fill=\"#1f2328\" text-anchor=\"end\" "
                                  "x=\"%d\" y=\"%d\">",
                                  LEFT - 12, top + PANEL_HEIGHT / 2 + 4);
  if (!st) st = put_text(b->name, 14, out, err);
  if (!st) st = sc_buffer_append_text(out, "<title>", err);
  if (!st) st = put_text(b->name, 200, out, err);
  if (!st) st = sc_buffer_append_text(out, "</title></text>\n", err);
  if (!st && !b->has_pixels) {
    st = sc_buffer_printf(
        out, err,
        "<text class=\"faint\" fill=\"#656d76\" x=\"%d\" y=\"%d\">no valid pixels</text>\n", LEFT,
        top + PANEL_HEIGHT / 2 + 4);
  } else if (!st) {
    st = put_bars(b, top, out, err);
    if (!st) st = put_axis(b, top, out, err);
    if (!st) st = put_median(b, top, out, err);
    if (!st) st = put_numbers(b, top, out, err);
  }
  return st ? st : sc_buffer_append_text(out, "</g>\n", err);
}

static sc_status plot(const cJSON *json, struct sc_buffer *out, struct sc_error *err) {
  const cJSON *names = cJSON_GetObjectItemCaseSensitive(json, "assets");
  int n = cJSON_IsArray(names) ? cJSON_GetArraySize(names) : 0;
  if (n < 1 || n > BANDS_MAX) return fail_json("assets", err);
  int height = TOP + n * BAND_HEIGHT;
  struct band *b = sc_alloc(sizeof *b);
  if (!b) return sc_fail_nomem(err);
  sc_status st = sc_buffer_printf(out, err, head, WIDTH, height, WIDTH, height, n, WIDTH, height);
  for (int i = 0; i < n && !st; i++) {
    memset(b, 0, sizeof *b);
    st = read_band(json, i, b, err);
    if (!st) st = put_band(b, i, out, err);
  }
  sc_free(b);
  return st ? st : sc_buffer_append_text(out, "</svg>\n", err);
}

static void plot_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_buffer out = {0};
  struct sc_error err = {0};
  size_t size;
  (void)n;
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  const char *text = sc_db_bytes(values[0], &size);
  cJSON *json = text ? cJSON_ParseWithLength(text, size) : NULL;
  sc_status st = json ? plot(json, &out, &err) : fail_json("{", &err);
  cJSON_Delete(json);
  if (st) {
    sc_buffer_free(&out);
    sc_result_error(context, &err);
  } else {
    sqlite3_result_text64(context, (char *)out.data, out.size, sc_free, SQLITE_UTF8);
  }
}

static const struct sc_help plot_help = {
    .name = WHAT,
    .kind = SC_HELP_SCALAR,
    .about = "histograms of bands as SVG",
    .arguments =
        (const struct sc_help_name[]){
            {"json", "JSON", NULL, "what stacchip_band_stats() gives, or its merged form"}, {0}},
    .example =
        "SELECT stacchip_plot(stacchip_band_stats(row, '{\"assets\": [\"red\", \"nir\"]}')) "
        "FROM stacchip_index('item.json')",
};

int sc_plot_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {WHAT, 1, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, plot_func, 0, 0},
  };
  sc_connection_help(c, &plot_help);
  return sc_register_functions(c, functions, 1);
}
