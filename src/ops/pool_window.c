/* pool_window.c - the shape rule of a pooling window, with PyTorch's limit on padding: at most half the
 * kernel, so that every window holds at least one pixel of the image. */
#include "ops/pool_window.h"

static int resolved_stride(const fv_window_attrs *window, int direction)
{
    return window->stride[direction] > 0 ? window->stride[direction] : window->kernel[direction];
}

static fv_status out_size(fv_context *ctx, const fv_window_attrs *window, fv_shape in, int direction,
                          const char *what, int *out)
{
    const int size = in.dim[1 + direction], kernel = window->kernel[direction], pad = window->pad[direction];
    const char *name = direction == 0 ? "height" : "width";
    char text[FV_SHAPE_TEXT];
    if (pad > kernel / 2)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: padding %d is more than half the window's %s: expected at most %d", what, pad,
                        name, kernel / 2);
    /* 64 bits: sizes go up to 2^24, their sums stay far below 2^31, but so it needs no proof. */
    const int64_t padded = (int64_t)size + 2 * (int64_t)pad;
    if (kernel > padded)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: the window %dx%d does not fit an image of %s with padding %dx%d: its %s is %d, "
                        "the padded image's %lld",
                        what, window->kernel[0], window->kernel[1], fv__shape_text(in, text), window->pad[0],
                        window->pad[1], name, kernel, (long long)padded);
    *out = (int)((padded - kernel) / resolved_stride(window, direction)) + 1;
    return FV_OK;
}

fv_status fv__pool_sizes(fv_context *ctx, const fv_window_attrs *window, fv_shape in, const char *what,
                         fv_pool_args *out)
{
    char text[FV_SHAPE_TEXT];
    int oh = 0, ow = 0;
    if (in.rank != 3)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: pooling expected an image (channels x height x width), found %s", what,
                        fv__shape_text(in, text));
    FV_TRY(out_size(ctx, window, in, 0, what, &oh));
    FV_TRY(out_size(ctx, window, in, 1, what, &ow));
    *out = fv__pool_args(window, in, fv__shape(3, in.dim[0], oh, ow, 0));
    return FV_OK;
}

fv_pool_args fv__pool_args(const fv_window_attrs *window, fv_shape in, fv_shape out)
{
    return (fv_pool_args){
        .c = in.dim[0], .h = in.dim[1], .w = in.dim[2],
        .oh = out.dim[1], .ow = out.dim[2],
        .kh = window->kernel[0], .kw = window->kernel[1],
        .stride_h = resolved_stride(window, 0), .stride_w = resolved_stride(window, 1),
        .pad_h = window->pad[0], .pad_w = window->pad[1],
    };
}

fv_pool_range fv__pool_range(int out_index, int kernel, int stride, int pad, int size)
{
    const int begin = out_index * stride - pad, end = begin + kernel;
    return (fv_pool_range){begin > 0 ? begin : 0, end < size ? end : size};
}
