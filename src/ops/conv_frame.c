/* conv_frame.c - the data gradient of a convolution with a border, as that of zeros around x and what the
 * frame adds to it.
 *
 *   dx = dx of zeros + for every pixel f of the frame: the gradient of f, added to the pixel that f shows
 *
 * Every line of the frame is a convolution of dy of its own, with the few taps that reach it: of 3x3 windows
 * over 32x32 pixels a row of the frame sees a row of taps, and the frame takes 4% of the products. To take
 * the gradient of the larger picture instead, and to fold it, takes 13% more products and a copy; by
 * Winograd, whose tiles then reach beyond the picture, 26%. A pixel at a corner belongs to the line of the
 * first axis along which it is outside. */
#include "ops/conv.h"

/* Parts, and their packed weights for each weight, at most: a wide frame is folded instead. */
#define FV_FRAME_PARTS   64
#define FV_FRAME_WEIGHTS 8

/* Pixels of x with its border along one axis, `step` apart, as an axis of a convolution of dy. */
typedef struct line {
    fv_flip_phase phase;
    fv_axis at;
    int first, step;
} line;

typedef struct lines {
    int n;
    line of[FV_FRAME_PARTS];
} lines;

struct fv_conv_frame {
    const fv_conv_args *of_border; /* of x with its border */
    fv_axis x[FV_AXES];            /* of zeros around x */
    fv_map_outside outside;
    fv_flip_args flip;
    int n;
    int64_t weights;
    double products;
    size_t scratch;
    fv_flip_part flip_part[FV_FRAME_PARTS];
    fv_pixels_args part[FV_FRAME_PARTS];
};

/* Of pixels [begin, end) those p + m * stride, without taps that see nothing but zeros around dy; false: no
 * tap is left. */
static bool make_line(const fv_axis *at, int p, int begin, int end, line *out)
{
    fv_flip_phase phase = fv__flip_phase(p, at->window, at->stride, 0, at->dilation);
    const int64_t skipped = begin > p ? ((int64_t)begin - p + at->stride - 1) / at->stride : 0;
    const int64_t first = p + skipped * at->stride;
    if (first >= end || phase.n == 0)
        return false;
    fv_axis line_at = {.in = at->out,
                       .out = (int)((end - first + at->stride - 1) / at->stride),
                       .stride = 1,
                       .dilation = phase.dilation};
    int64_t sees =
        skipped + phase.base - (phase.n - 1) * (int64_t)phase.dilation; /* pixel of dy; first tap */
    for (; phase.n > 0 && sees + line_at.out - 1 < 0; phase.n--)
        sees += phase.dilation;
    for (; phase.n > 0 && sees + (phase.n - 1) * (int64_t)phase.dilation >= line_at.in; phase.n--)
        phase.k0 += phase.step;
    line_at.window = phase.n;
    line_at.before = (int)-sees;
    *out = (line){phase, line_at, (int)first, at->stride};
    return phase.n > 0;
}

/* False: too many. */
static bool make_lines(const fv_axis *at, int begin, int end, lines *out)
{
    line found;
    out->n = 0;
    for (int p = 0; p < at->stride && p < end; p++) {
        if (!make_line(at, p, begin, end, &found))
            continue;
        if (out->n == FV_FRAME_PARTS)
            return false;
        out->of[out->n++] = found;
    }
    return true;
}

/* Which pixel of x each output of a part is added to. */
static int32_t *make_targets(fv_lower *l, const fv_conv_frame *f, const line *const of[FV_AXES], int64_t n)
{
    int32_t *const target = fv__arena_alloc(l->arena, (size_t)n, sizeof *target);
    for (int64_t k = 0; target && k < n; k++) {
        int64_t rest = k, to = 0, plane = 1;
        for (int a = FV_AXES - 1; a >= 0; a--) {
            const int64_t pixel = of[a]->first + rest % of[a]->at.out * of[a]->step;
            to += fv__map_seen(f->outside, f->x[a].in, pixel - f->x[a].before) * plane;
            rest /= of[a]->at.out;
            plane *= f->x[a].in;
        }
        target[k] = (int32_t)to;
    }
    return target;
}

static fv_status add_part(fv_lower *l, fv_conv_frame *f, const line *const of[FV_AXES])
{
    fv_conv_args part = {
        .groups = f->flip.groups, .i = f->flip.o, .o = f->flip.i, .weights = f->weights, .step = {1, 1, 1}};
    for (int a = 0; a < FV_AXES; a++) {
        part.at[a] = of[a]->at;
        part.whole[a] = f->x[a].in;
        f->flip_part[f->n].phase[a] = of[a]->phase;
    }
    fv_pixels_args *const g = &f->part[f->n++];
    FV_TRY(fv__conv_pixels_args(l, &part, false, g));
    g->target = make_targets(l, f, of, fv__conv_out(&part));
    g->scattered = true;
    g->by_pixels = false;
    const size_t scratch = fv__conv_pixels_scratch(g);
    f->scratch = scratch > f->scratch ? scratch : f->scratch;
    f->products += fv__conv_products(&part);
    f->weights += fv__conv_taps(&part) * part.groups * part.i * part.o;
    return g->target ? FV_OK : FV_ERR_MEMORY;
}

/* One line of the frame: of axes before `axis` the pixels inside of x, of those behind it all. */
static fv_status add_line(fv_lower *l, fv_conv_frame *f, const lines *const of[FV_AXES], bool *fits)
{
    for (int z = 0; z < of[FV_DEPTH]->n; z++)
        for (int y = 0; y < of[FV_HEIGHT]->n; y++)
            for (int x = 0; x < of[FV_WIDTH]->n; x++) {
                const line *const part[] = {&of[FV_DEPTH]->of[z], &of[FV_HEIGHT]->of[y],
                                            &of[FV_WIDTH]->of[x]};
                *fits = f->n < FV_FRAME_PARTS;
                if (!*fits)
                    return FV_OK;
                FV_TRY(add_part(l, f, part));
            }
    return FV_OK;
}

static fv_status add_lines(fv_lower *l, fv_conv_frame *f, bool *fits)
{
    const fv_axis *const at = f->of_border->at;
    lines inside[FV_AXES], all[FV_AXES], one;
    *fits = true;
    for (int a = 0; a < FV_AXES && *fits; a++)
        *fits = make_lines(&at[a], f->x[a].before, f->x[a].before + f->x[a].in, &inside[a]) &&
                make_lines(&at[a], 0, at[a].in, &all[a]);
    for (int axis = 0; axis < FV_AXES; axis++)
        for (int k = 0; *fits && k < at[axis].in; k++) {
            if (k == f->x[axis].before)
                k += f->x[axis].in;
            if (k == at[axis].in)
                break;
            const lines *of[FV_AXES];
            one.n = make_line(&at[axis], k % at[axis].stride, k, k + 1, &one.of[0]);
            for (int a = 0; a < FV_AXES; a++)
                of[a] = a < axis ? &inside[a] : a > axis ? &all[a] : &one;
            FV_TRY(add_line(l, f, of, fits));
        }
    return FV_OK;
}

fv_status fv__conv_make_frame(fv_lower *l, const fv_conv_args *forward, const fv_conv_args *of_border,
                              const fv_map *map, fv_conv_frame **frame)
{
    bool fits;
    fv_conv_frame *const f = fv__arena_alloc(l->arena, 1, sizeof *f);
    *frame = NULL;
    if (!f)
        return FV_ERR_MEMORY;
    *f = (fv_conv_frame){.of_border = of_border,
                         .outside = map->outside,
                         .flip = {.groups = forward->groups, .o = forward->o, .i = forward->i}};
    for (int a = 0; a < FV_AXES; a++) {
        f->x[a] = forward->at[a];
        f->flip.window[a] = forward->at[a].window;
    }
    FV_TRY(add_lines(l, f, &fits));
    f->flip.part = f->flip_part;
    f->flip.n = f->n;
    if (fits && f->weights <= FV_FRAME_WEIGHTS * fv__shape_count(l->in_shape[1]))
        *frame = f;
    return FV_OK;
}

fv_status fv__conv_lower_frame(fv_lower *l, fv_conv_frame *f)
{
    const fv_conv_frame_args args = {.n = f->n, .part = f->part};
    int weights;
    if (f->n == 0)
        return FV_OK;
    l->chosen = "frame";
    FV_TRY(fv__conv_pack(l, &f->flip, &weights));
    fv_step_spec s = {.kernel = FV_KERNEL_conv_frame,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, &args, sizeof args),
                      .n_operands = 3,
                      .operand = {l->out, l->in[0], weights},
                      .access = {FV_UPDATE, FV_READ, FV_READ},
                      .scratch_floats = f->scratch,
                      .flops = 2 * f->products,
                      .bytes = fv__conv_bytes(l->in_shape[0], l->out_shape)};
    fv__lower_split(l, s.flops, f->flip.i, 16, &s);
    return fv__lower_step(l, &s);
}
