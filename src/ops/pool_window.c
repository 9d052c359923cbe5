/* pool_window.c - the shape rule of a pooling window, with PyTorch's limit on padding: at most half the
 * kernel, so that every window holds at least one pixel of the image. */
#include "ops/pool_window.h"

#include "ops/window.h"

static int resolved_stride(const fv_window_attrs *window, int direction)
{
    return window->stride[direction] > 0 ? window->stride[direction] : window->kernel[direction];
}

fv_status fv__pool_sizes(fv_context *ctx, const fv_window_attrs *window, fv_shape in, const char *what,
                         fv_pool_args *out)
{
    char text[FV_SHAPE_TEXT];
    int size[2];
    if (in.rank != 3)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: pooling expected an image (channels x height x width), found %s", what,
                        fv__shape_text(in, text));
    for (int d = 0; d < 2; d++)
        if (window->pad[d] > window->kernel[d] / 2)
            return fv__fail(ctx, FV_ERR_INPUT,
                            "%s: padding %d is more than half the window's %s: expected at most %d", what,
                            window->pad[d], d == 0 ? "height" : "width", window->kernel[d] / 2);
    const fv_window_sizes sizes = {.kernel = {window->kernel[0], window->kernel[1]},
                                   .stride = {resolved_stride(window, 0), resolved_stride(window, 1)},
                                   .pad = {window->pad[0], window->pad[1]},
                                   .dilation = {1, 1}};
    FV_TRY(fv__window_check(ctx, &sizes, in, what, size));
    *out = fv__pool_args(window, in, FV_SHAPE(in.dim[0], size[0], size[1]));
    return FV_OK;
}

fv_pool_args fv__pool_args(const fv_window_attrs *window, fv_shape in, fv_shape out)
{
    return (fv_pool_args){
        .c = in.dim[0],
        .h = in.dim[1],
        .w = in.dim[2],
        .oh = out.dim[1],
        .ow = out.dim[2],
        .kh = window->kernel[0],
        .kw = window->kernel[1],
        .stride_h = resolved_stride(window, 0),
        .stride_w = resolved_stride(window, 1),
        .pad_h = window->pad[0],
        .pad_w = window->pad[1],
    };
}

fv_pool_range fv__pool_range(int out_index, int kernel, int stride, int pad, int size)
{
    const int begin = out_index * stride - pad, end = begin + kernel;
    return (fv_pool_range){begin > 0 ? begin : 0, end < size ? end : size};
}
