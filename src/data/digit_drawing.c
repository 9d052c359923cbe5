/* digit_drawing.c - handwritten-like digits drawn from strokes, so that training needs no download.
 *
 *     template points -> jitter -> smooth curves -> bend the plane -> slant, stretch, turn
 *                     -> fit the 20x20 middle -> ink by distance to the pen's path
 *
 * Each curve is a Catmull-Rom spline ("A class of local interpolating splines", 1974). The plane is bent by
 * a Bernstein patch of 4x4 random shifts, smooth and of low frequency, as the elastic distortions of Simard,
 * Steinkraus and Platt (ICDAR 2003). Every draw is a Philox draw of (seed, split, index), and the arithmetic
 * is + - * / and sqrt alone: the same picture, to the bit, everywhere and in any order. */
#include "data/digit_drawing.h"

#include "data/sources.h"

#include "base/pool.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = FV_DIGITS_SIDE,
    MAX_POINTS = 16, /* of a template */
    PIECES = 6,      /* straight pieces of each curve between two points */
    MAX_PATH = MAX_POINTS * PIECES,
    CHUNK = 64 /* pictures a task of the pool */
};

typedef enum point_kind { PEN_UP = 1, SMOOTH, CORNER } point_kind;

typedef struct stroke_point {
    uint8_t x, y, kind; /* kind 0: past the last point */
} stroke_point;

typedef struct glyph {
    int label;
    stroke_point points[MAX_POINTS];
} glyph;

/* clang-format off */
#define U(x, y) {x, y, PEN_UP}
#define P(x, y) {x, y, SMOOTH}
#define C(x, y) {x, y, CORNER}
/* clang-format on */
#define GLYPH(label, ...) {label, {__VA_ARGS__}},
static const glyph glyphs[] = {
#include "data/digits_strokes.inc"
};
#undef U
#undef P
#undef C
#undef GLYPH
enum { N_GLYPHS = sizeof glyphs / sizeof glyphs[0] };

/* How much hands differ: standard deviations, of lengths in parts of the box. */
static const double jitter = 0.030, bend = 0.053, slant = 0.22, turn = 0.125, aspect = 0.145, shrink = 0.06;
static const double offset = 0.98;                     /* pixels */
static const double pen_thin = 0.75, pen_thick = 1.75; /* half widths in pixels */

typedef struct vec2 {
    double x, y;
} vec2;

/* The pen's path: straight pieces from point i to i + 1, unless pen_up[i + 1]. */
typedef struct pen_path {
    int n;
    vec2 at[MAX_PATH];
    bool pen_up[MAX_PATH];
} pen_path;

static double uniform(fv_rng *rng, double low, double high)
{
    return low + (high - low) * ((double)fv__rng_u32(rng) * (1.0 / 4294967296.0));
}

/* Mean 0, deviation 1, never past 3.5: the sum of four 16-bit uniforms. */
static double bell(fv_rng *rng)
{
    const uint32_t a = fv__rng_u32(rng), b = fv__rng_u32(rng);
    const uint32_t sum = (a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16);
    return ((double)sum - 131070.0) * (1.7320508075688772 / 65536.0);
}

static int draw_label(fv_rng *rng)
{
    return (int)(((uint64_t)fv__rng_u32(rng) * 10) >> 32);
}

static const glyph *pick_glyph(fv_rng *rng, int label)
{
    int first = 0, n = 0;
    while (glyphs[first].label != label)
        first++;
    while (first + n < N_GLYPHS && glyphs[first + n].label == label)
        n++;
    return &glyphs[first + (int)(((uint64_t)fv__rng_u32(rng) * (uint64_t)n) >> 32)];
}

static void add_point(pen_path *path, vec2 at, bool pen_up)
{
    path->at[path->n] = at;
    path->pen_up[path->n++] = pen_up;
}

/* The Catmull-Rom curve from b to c, with neighbours a and d, at t. */
static double spline(double a, double b, double c, double d, double t)
{
    return b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)));
}

/* The template's points, each moved a little, joined by curves. Coordinates -0.5..0.5 around the middle. */
static void trace(fv_rng *rng, const glyph *g, pen_path *path)
{
    vec2 at[MAX_POINTS];
    int n = 0;
    for (; n < MAX_POINTS && g->points[n].kind; n++) {
        at[n].x = g->points[n].x * 0.01 - 0.5 + jitter * bell(rng);
        at[n].y = g->points[n].y * 0.01 - 0.5 + jitter * bell(rng);
    }
    path->n = 0;
    for (int i = 0; i < n; i++) {
        if (g->points[i].kind == PEN_UP) {
            add_point(path, at[i], true);
            continue;
        }
        /* At a corner or an end the curve sees no further than the point itself. */
        const bool starts = g->points[i - 1].kind != SMOOTH;
        const bool ends = g->points[i].kind == CORNER || i + 1 == n || g->points[i + 1].kind == PEN_UP;
        const vec2 b = at[i - 1], c = at[i], a = starts ? b : at[i - 2], d = ends ? c : at[i + 1];
        for (int k = 1; k <= PIECES; k++) {
            const double t = k * (1.0 / PIECES);
            add_point(path, (vec2){spline(a.x, b.x, c.x, d.x, t), spline(a.y, b.y, c.y, d.y, t)}, false);
        }
    }
}

static void bernstein(double t, double weight[4])
{
    const double s = 1.0 - t;
    weight[0] = s * s * s;
    weight[1] = 3.0 * s * s * t;
    weight[2] = 3.0 * s * t * t;
    weight[3] = t * t * t;
}

/* Bends the plane, then slants, stretches and turns it. */
static void deform(fv_rng *rng, pen_path *path)
{
    vec2 shift[4][4];
    for (int i = 0; i < 16; i++) {
        shift[i / 4][i % 4].x = 2.0 * bend * bell(rng);
        shift[i / 4][i % 4].y = 2.0 * bend * bell(rng);
    }
    const double lean = slant * bell(rng) - 0.1; /* most people lean to the right */
    const double half = 0.5 * turn * bell(rng);
    const double cosine = (1.0 - half * half) / (1.0 + half * half), sine = 2.0 * half / (1.0 + half * half);
    const double wide = 1.0 + aspect * bell(rng), high = 1.0 + 0.5 * aspect * bell(rng);
    for (int i = 0; i < path->n; i++) {
        vec2 p = path->at[i];
        double wx[4], wy[4], dx = 0.0, dy = 0.0;
        bernstein(p.x + 0.5, wx);
        bernstein(p.y + 0.5, wy);
        for (int r = 0; r < 4; r++)
            for (int c = 0; c < 4; c++) {
                dx += wy[r] * wx[c] * shift[r][c].x;
                dy += wy[r] * wx[c] * shift[r][c].y;
            }
        p.x += dx;
        p.y += dy;
        p.x = (p.x + lean * p.y) * wide;
        p.y *= high;
        path->at[i] = (vec2){cosine * p.x - sine * p.y, sine * p.x + cosine * p.y};
    }
}

/* As MNIST: the longer side of the bounding box becomes 20 pixels less the pen, about; the middle of the
 * path comes to the middle of the picture, about. */
static void fit(fv_rng *rng, pen_path *path, double pen)
{
    vec2 low = path->at[0], high = path->at[0], middle = {0.0, 0.0};
    double length = 1e-9;
    for (int i = 0; i < path->n; i++) {
        const vec2 p = path->at[i];
        low = (vec2){p.x < low.x ? p.x : low.x, p.y < low.y ? p.y : low.y};
        high = (vec2){p.x > high.x ? p.x : high.x, p.y > high.y ? p.y : high.y};
        if (path->pen_up[i])
            continue;
        const vec2 q = path->at[i - 1];
        const double piece = sqrt((p.x - q.x) * (p.x - q.x) + (p.y - q.y) * (p.y - q.y));
        middle.x += 0.5 * piece * (p.x + q.x);
        middle.y += 0.5 * piece * (p.y + q.y);
        length += piece;
    }
    const double side = high.x - low.x > high.y - low.y ? high.x - low.x : high.y - low.y;
    const double scale = (20.0 - 2.0 * pen) * (0.97 + shrink * bell(rng)) / side;
    const double x0 = 14.0 + offset * bell(rng) - scale * middle.x / length;
    const double y0 = 14.0 + offset * bell(rng) - scale * middle.y / length;
    for (int i = 0; i < path->n; i++)
        path->at[i] = (vec2){x0 + scale * path->at[i].x, y0 + scale * path->at[i].y};
}

static int clamp_pixel(double x)
{
    return x < 0.0 ? 0 : x > SIDE - 1 ? SIDE - 1 : (int)x;
}

/* The squared distance of every pixel's centre to the path, where it is within `reach`. */
static void measure(const pen_path *path, double reach, double distance2[SIDE][SIDE])
{
    for (int i = 0; i < SIDE * SIDE; i++)
        distance2[i / SIDE][i % SIDE] = 1e9;
    for (int i = 1; i < path->n; i++) {
        if (path->pen_up[i])
            continue;
        const vec2 a = path->at[i - 1], b = path->at[i], along = {b.x - a.x, b.y - a.y};
        const double inverse = 1.0 / (along.x * along.x + along.y * along.y + 1e-12);
        const int x0 = clamp_pixel((a.x < b.x ? a.x : b.x) - reach);
        const int x1 = clamp_pixel((a.x > b.x ? a.x : b.x) + reach);
        const int y0 = clamp_pixel((a.y < b.y ? a.y : b.y) - reach);
        const int y1 = clamp_pixel((a.y > b.y ? a.y : b.y) + reach);
        for (int y = y0; y <= y1; y++)
            for (int x = x0; x <= x1; x++) {
                const double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
                double t = (px * along.x + py * along.y) * inverse;
                t = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
                const double ex = px - t * along.x, ey = py - t * along.y;
                const double d2 = ex * ex + ey * ey;
                distance2[y][x] = d2 < distance2[y][x] ? d2 : distance2[y][x];
            }
    }
}

/* Full ink inside the pen's half width, fading over `soft` pixels around its edge, a little uneven. */
static void ink(fv_rng *rng, double distance2[SIDE][SIDE], double pen, double soft, uint8_t *pixels)
{
    const double strength = uniform(rng, 215.0, 262.0);
    for (int i = 0; i < SIDE * SIDE; i++) {
        pixels[i] = 0;
        const double d2 = distance2[i / SIDE][i % SIDE];
        if (d2 >= (pen + soft) * (pen + soft))
            continue;
        double t = (pen + soft - sqrt(d2)) / (2.0 * soft);
        t = t > 1.0 ? 1.0 : t;
        const double grain = (double)(fv__rng_u32(rng) >> 16) * (24.0 / 65536.0);
        const double value = t * t * (3.0 - 2.0 * t) * (strength - grain);
        pixels[i] = (uint8_t)(value > 255.0 ? 255.0 : value);
    }
}

int fv__digit_label(uint64_t seed, fv_split split, uint32_t index)
{
    fv_rng rng = fv__rng(seed, FV_STREAM_DIGITS, (uint32_t)split, index);
    return draw_label(&rng);
}

void fv__digit_draw(uint64_t seed, fv_split split, uint32_t index, uint8_t pixels[SIDE * SIDE])
{
    fv_rng rng = fv__rng(seed, FV_STREAM_DIGITS, (uint32_t)split, index);
    const glyph *g = pick_glyph(&rng, draw_label(&rng));
    pen_path path;
    trace(&rng, g, &path);
    deform(&rng, &path);
    const double pen = uniform(&rng, pen_thin, pen_thick), soft = uniform(&rng, 0.6, 0.9);
    fit(&rng, &path, pen);
    double distance2[SIDE][SIDE];
    measure(&path, pen + soft, distance2);
    ink(&rng, distance2, pen, soft, pixels);
}

typedef struct drawing {
    uint64_t seed;
    fv_split split;
    const uint32_t *index; /* [n] */
    fv_data *data;
} drawing;

static void draw_chunk(void *user, int task, int worker)
{
    (void)worker;
    const drawing *d = user;
    const int end = (task + 1) * CHUNK < d->data->n ? (task + 1) * CHUNK : d->data->n;
    for (int i = task * CHUNK; i < end; i++) {
        d->data->labels[i] = fv__digit_label(d->seed, d->split, d->index[i]);
        fv__digit_draw(d->seed, d->split, d->index[i], d->data->pixels + (size_t)i * SIDE * SIDE);
    }
}

/* Which pictures of the split the options keep: returns how many, their numbers in index. */
static int keep(const fv_data_options *options, fv_split split, int n, uint32_t *index)
{
    int n_kept = 0;
    for (int i = 0; i < n && (options->limit == 0 || n_kept < options->limit); i++) {
        bool wanted = options->n_classes == 0;
        const int label = wanted ? 0 : fv__digit_label(options->seed, split, (uint32_t)i);
        for (int k = 0; k < options->n_classes; k++)
            wanted = wanted || options->classes[k] == label;
        if (wanted)
            index[n_kept++] = (uint32_t)i;
    }
    return n_kept;
}

/* Only what the options keep is drawn, by the context's pool. */
static fv_status open(const fv_opening *o, fv_data **out)
{
    fv_context *const ctx = o->ctx;
    const fv_split split = o->split;
    const fv_data_options *const options = o->options;
    FV_TRY(fv__data_check_options(ctx, options, 10, "digits"));
    const int n = split == FV_SPLIT_TRAIN ? FV_DIGITS_TRAIN : FV_DIGITS_TEST;
    uint32_t *index = fv__alloc(ctx, (size_t)n, sizeof *index);
    if (!index)
        return FV_ERR_MEMORY;
    const int n_kept = keep(options, split, n, index);
    fv_data *data = NULL;
    fv_status status = fv__data_create(ctx, "digits", n_kept, 1, SIDE, SIDE, 10, &data);
    if (status == FV_OK) {
        drawing d = {options->seed, split, index, data};
        fv__pool_run(ctx->pool, (n_kept + CHUNK - 1) / CHUNK, draw_chunk, &d);
        status = fv__data_select(data, options);
    }
    fv__free(ctx, index);
    if (status != FV_OK) {
        fv__data_destroy(data);
        return status;
    }
    *out = data;
    return FV_OK;
}

static bool recognises(fv_context *ctx, const char *path)
{
    (void)ctx;
    return strcmp(path, "digits") == 0;
}

const fv_source fv__source_digits = {
    .shown = {"\"digits\"", "20,000 and 5,000 pictures of digits, drawn when they are needed: no files"},
    .words = {"fit"},
    .recognises = recognises,
    .open = open,
};
