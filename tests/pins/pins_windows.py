"""pins_windows.py - cases of layers whose window slides: convolutions, pooling, borders, upsampling."""
import torch
import torch.nn.functional as F

from make_pins import Case

# Winograd's transforms cost some units in the last places.
TOLERANCE = {"conv": 4e-6, "conv_same": 4e-6, "conv_border": 4e-6, "conv3d": 4e-6, "convtranspose": 4e-6,
             "convtranspose3d": 4e-6}
CONV = [None, F.conv1d, F.conv2d, F.conv3d]
TRANSPOSED = [None, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d]
MAX_POOL = [None, F.max_pool1d, F.max_pool2d, F.max_pool3d]
AVG_POOL = [None, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d]
INPUT = [None, "signal", "image", "video"]


def sizes(text, n):
    numbers = [int(s) for s in str(text).split("x")]
    return numbers * n if len(numbers) == 1 else numbers


def key(word, value, default):
    return "" if str(value) == str(default) else " %s=%s" % (word, value)


def input_line(shape):
    return "input %s %s\n" % (INPUT[len(shape) - 1], "x".join(str(d) for d in shape))


def conv(title, shape, out, kernel, stride=1, pad=0, dilation=1, groups=1, bias=True, images=2):
    n = len(shape) - 1
    text = "conv c %d %s" % (out, kernel) + key("stride", stride, 1) + key("pad", pad, 0)
    text += key("dilation", dilation, 1) + key("groups", groups, 1) + ("" if bias else " bias=no")
    parameters = {"c.weight": ([out, shape[0] // groups] + sizes(kernel, n), 0.5)}
    if bias:
        parameters["c.bias"] = ([out], 1.0)

    def forward(x, p):
        return CONV[n](x, p["c.weight"], p.get("c.bias"), tuple(sizes(stride, n)), tuple(sizes(pad, n)),
                       tuple(sizes(dilation, n)), groups)
    return Case(title, input_line(shape) + text, "c", (shape, 2.0), parameters, forward, images)


def cases_conv():
    yield conv("3x3, padded", [2, 5, 6], 3, "3x3", pad=1)
    yield conv("a stride of its own for each direction", [3, 9, 8], 4, "3x2", stride="2x3", pad="1x0")
    yield conv("dilated", [2, 9, 7], 3, "3x3", dilation="2x3", pad="2x1", bias=False)
    yield conv("groups", [6, 5, 5], 9, "2x3", groups=3, pad=1)
    yield conv("depthwise, two outputs each, 17 images", [3, 6, 5], 6, "3x3", groups=3, pad=1, images=17)
    yield conv("depthwise, stride 2", [5, 7, 6], 5, "3x3", groups=5, stride=2, pad=1)
    yield conv("depthwise, dilated", [17, 7, 5], 17, "3x3", groups=17, dilation=2, pad=2)
    yield conv("1x1 of many channels", [33, 3, 2], 35, "1x1")
    yield conv("1x1, stride 2", [18, 5, 5], 33, "1x1", stride=2)
    yield conv("3x3 of many channels", [33, 6, 7], 34, "3x3", pad=1)
    yield conv("5x5 of a few channels, stride 2", [4, 11, 9], 18, "5x5", stride=2, pad=2)
    yield conv("7x7, stride 4", [3, 15, 13], 5, "7x7", stride=4, pad=3)
    yield conv("the window as large as the image", [3, 4, 5], 6, "4x5")
    yield conv("a wide border", [1, 2, 3], 2, "4x4", pad=3)


def cases_conv1d():
    yield conv("7, padded", [2, 11], 3, "7", pad=3)
    yield conv("a first layer", [1, 33], 8, "9", stride=3)
    yield conv("stride 2, dilated", [3, 17], 4, "3", stride=2, dilation=3, pad=2)
    yield conv("groups", [6, 9], 4, "2", groups=2, bias=False)
    yield conv("depthwise, 17 images", [5, 8], 5, "3", groups=5, pad=1, images=17)
    yield conv("a window of 1 over many channels", [34, 5], 33, "1")
    yield conv("many channels", [33, 10], 34, "3", pad=1)
    yield conv("the window as long as the signal", [3, 5], 4, "5")
    yield conv("a wide border", [2, 3], 2, "5", pad=4)


def cases_conv3d():
    yield conv("3x3x3, padded", [2, 4, 5, 3], 3, "3x3x3", pad=1)
    yield conv("a first layer", [3, 6, 7, 8], 5, "3x5x5", stride="1x2x2", pad="1x2x2")
    yield conv("a number of its own for each direction", [2, 7, 8, 9], 3, "2x3x4", stride="3x2x1", pad="1x0x2",
               dilation="2x1x2")
    yield conv("groups", [4, 3, 4, 4], 6, "2x2x2", groups=2, bias=False)
    yield conv("depthwise, 17 images", [3, 3, 4, 4], 3, "3x3x3", groups=3, pad=1, images=17)
    yield conv("over time alone", [3, 6, 2, 3], 4, "3x1x1", pad="1x0x0")
    yield conv("over space alone, many channels", [33, 2, 4, 5], 34, "1x3x3", pad="0x1x1")
    yield conv("1x1x1, stride 2", [17, 3, 4, 5], 33, "1x1x1", stride=2)
    yield conv("many channels", [20, 3, 4, 4], 33, "3x3x3", pad=1)


def same_pads(shape, kernel, stride):
    """F.pad's list: all of ceil(in / stride) outputs, the odd one at the end (ONNX's SAME_UPPER)."""
    pads = []
    for size, k, s in zip(shape[1:], kernel, stride):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads = [total // 2, total - total // 2] + pads
    return pads


def same(title, shape, out, kernel, stride=1, dilation=1, images=2):
    n = len(shape) - 1
    k, s, d = sizes(kernel, n), sizes(stride, n), sizes(dilation, n)
    spans = [(a - 1) * b + 1 for a, b in zip(k, d)]

    def forward(x, p):
        return CONV[n](F.pad(x, same_pads(shape, spans, s)), p["c.weight"], p["c.bias"], tuple(s), 0, tuple(d))
    text = "conv c %d %s pad=same" % (out, kernel) + key("stride", stride, 1) + key("dilation", dilation, 1)
    parameters = {"c.weight": ([out, shape[0]] + k, 0.5), "c.bias": ([out], 1.0)}
    return Case(title, input_line(shape) + text, "c", (shape, 2.0), parameters, forward, images)


def cases_conv_same():
    yield same("odd window", [2, 5, 6], 3, "3x5")
    yield same("even window", [2, 5, 6], 3, "2x4")
    yield same("stride 2", [2, 6, 7], 3, "3x3", stride=2)
    yield same("stride 3, even window", [1, 8, 9], 2, "4x2", stride=3)
    yield same("dilated", [2, 7, 6], 2, "3x2", dilation="2x3")
    yield same("a stride past the window", [2, 7, 8], 2, "1x2", stride=3)
    yield same("1-D", [3, 10], 4, "4", stride=2)
    yield same("3-D", [2, 4, 5, 3], 2, "2x3x2", stride="2x1x2")


# ---- borders: no mode of F.pad is numpy's symmetric (the lecture's mirror), so all go by an index -----------

def sources(n, before, after, mode):
    """Of each place along one direction: the place of x it shows; -1 outside."""
    found = []
    for i in range(-before, n + after):
        if mode == "edge":
            found.append(min(max(i, 0), n - 1))
        elif mode == "modulo":
            found.append(i % n)
        elif mode == "mirror":
            j = i % (2 * n)
            found.append(j if j < n else 2 * n - 1 - j)
        elif mode == "reflect":
            j = i % (2 * n - 2) if n > 1 else 0
            found.append(j if j < n else 2 * n - 2 - j)
        else:
            found.append(i if 0 <= i < n else -1)
    return found


def framed(x, pads, mode):
    """pads: one number a side, per direction."""
    value = float(mode.split(":")[1]) if ":" in mode else 0.0
    for axis, pad in enumerate(pads):
        index = torch.tensor(sources(x.shape[axis + 2], pad, pad, mode.split(":")[0]))
        taken = x.index_select(axis + 2, index.clamp(min=0))
        outside = (index < 0).reshape([-1] + [1] * (x.dim() - axis - 3))
        x = torch.where(outside, torch.tensor(value), taken)
    return x


def border(title, shape, size, mode):
    n = len(shape) - 1
    torch_mode = {"reflect": "reflect", "edge": "replicate", "modulo": "circular"}.get(mode)

    def forward(x, p):
        y = framed(x, sizes(size, n), mode)
        if torch_mode:  # the index must be PyTorch's
            pads = [s for size_of in reversed(sizes(size, n)) for s in (size_of, size_of)]
            assert torch.equal(y, F.pad(x, pads, torch_mode))
        return y
    text = "border %s name=b mode=%s" % (size, mode)
    return Case(title, input_line(shape) + text, "b", (shape, 2.0), {}, forward, images=2)


def cases_border():
    for mode in ("zero", "constant:-0.75", "mirror", "reflect", "edge", "modulo"):
        yield border(mode, [2, 3, 4], "1x2", mode)
        yield border(mode + ", 1-D", [2, 5], "3", mode)
        yield border(mode + ", 3-D", [1, 2, 3, 3], "1x1x2", mode)


def conv_border(title, shape, out, kernel, pad, mode, stride=1, dilation=1, groups=1):
    n = len(shape) - 1

    def forward(x, p):
        return CONV[n](framed(x, sizes(pad, n), mode), p["c.weight"], p["c.bias"], tuple(sizes(stride, n)), 0,
                       tuple(sizes(dilation, n)), groups)
    text = "conv c %d %s pad=%s border=%s" % (out, kernel, pad, mode)
    text += key("stride", stride, 1) + key("dilation", dilation, 1) + key("groups", groups, 1)
    parameters = {"c.weight": ([out, shape[0] // groups] + sizes(kernel, n), 0.5), "c.bias": ([out], 1.0)}
    return Case(title, input_line(shape) + text, "c", (shape, 2.0), parameters, forward)


def cases_conv_border():
    for mode in ("zero", "constant:1.5", "mirror", "reflect", "edge", "modulo"):
        yield conv_border(mode, [2, 5, 6], 3, "3x3", "1", mode)
    yield conv_border("mirror, stride 2", [3, 7, 6], 2, "5x3", "2x1", "mirror", stride=2)
    yield conv_border("edge, dilated", [2, 6, 7], 2, "3x3", "2", "edge", dilation=2)
    yield conv_border("modulo, depthwise", [4, 5, 5], 4, "3x3", "1", "modulo", groups=4)
    yield conv_border("reflect, many channels", [33, 5, 6], 34, "3x3", "1", "reflect")
    yield conv_border("mirror, 1-D", [2, 7], 3, "5", "2", "mirror")
    yield conv_border("modulo, 3-D", [2, 3, 4, 3], 2, "3x3x3", "1", "modulo")


# ---- transposed, locally connected, connection tables -------------------------------------------------------

def transposed(title, shape, out, kernel, stride=1, pad=0, outpad=0, dilation=1, groups=1, bias=True, images=2):
    n = len(shape) - 1
    text = "convtranspose c %d %s" % (out, kernel) + key("stride", stride, 1) + key("pad", pad, 0)
    text += key("outpad", outpad, 0) + key("dilation", dilation, 1) + key("groups", groups, 1)
    text += "" if bias else " bias=no"
    parameters = {"c.weight": ([shape[0], out // groups] + sizes(kernel, n), 0.5)}
    if bias:
        parameters["c.bias"] = ([out], 1.0)

    def forward(x, p):
        return TRANSPOSED[n](x, p["c.weight"], p.get("c.bias"), tuple(sizes(stride, n)), tuple(sizes(pad, n)),
                             tuple(sizes(outpad, n)), groups, tuple(sizes(dilation, n)))
    return Case(title, input_line(shape) + text, "c", (shape, 2.0), parameters, forward, images)


def cases_convtranspose():
    yield transposed("stride 1", [2, 4, 5], 3, "3x3")
    yield transposed("2x2, stride 2", [3, 4, 3], 2, "2x2", stride=2)
    yield transposed("4x4, stride 2, pad 1", [2, 4, 5], 3, "4x4", stride=2, pad=1)
    yield transposed("3x3, stride 2, an output padding", [3, 3, 4], 2, "3x3", stride=2, pad=1, outpad=1)
    yield transposed("a number of its own for each direction", [2, 3, 4], 3, "3x2", stride="3x1", pad="1x0",
                     outpad="2x0")
    yield transposed("dilated", [2, 4, 3], 2, "3x3", stride=2, dilation="2x3", pad=2, outpad=1)
    yield transposed("groups, no bias", [4, 3, 4], 6, "3x3", stride=2, groups=2, bias=False)
    yield transposed("depthwise, 17 images", [5, 3, 3], 5, "4x4", stride=2, pad=1, groups=5, images=17)
    yield transposed("a stride past the window", [2, 3, 3], 2, "2x2", stride=3)
    yield transposed("many channels", [34, 4, 4], 33, "4x4", stride=2, pad=1)
    yield transposed("1x1", [17, 3, 3], 5, "1x1")


def cases_convtranspose1d():
    yield transposed("stride 1", [2, 7], 3, "5")
    yield transposed("stride 4, pad 2", [3, 6], 2, "8", stride=4, pad=2)
    yield transposed("stride 3, an output padding", [2, 5], 3, "4", stride=3, pad=1, outpad=2)
    yield transposed("dilated, groups", [4, 6], 2, "3", stride=2, dilation=3, groups=2, pad=1, outpad=1)
    yield transposed("many channels", [33, 6], 34, "4", stride=2, pad=1)


def cases_convtranspose3d():
    yield transposed("stride 1", [2, 2, 3, 4], 2, "2x3x3")
    yield transposed("2x2x2, stride 2", [3, 2, 3, 2], 2, "2x2x2", stride=2)
    yield transposed("a number of its own for each direction", [2, 2, 3, 3], 3, "3x2x4", stride="2x1x3",
                     pad="1x0x2", outpad="1x0x2")
    yield transposed("groups", [4, 2, 2, 3], 4, "3x3x3", stride=2, pad=1, outpad=1, groups=2)
    yield transposed("many channels", [17, 2, 3, 3], 18, "4x4x4", stride=2, pad=1)


def local(title, shape, out, kernel, stride=1, pad=0, images=2):
    """weight [out][in][outputs' sizes][kernel's sizes], bias [out][outputs' sizes]: see the case's text."""
    n = len(shape) - 1
    k, s, pads = sizes(kernel, n), sizes(stride, n), sizes(pad, n)
    places = [(size + 2 * b - a) // c + 1 for size, a, c, b in zip(shape[1:], k, s, pads)]

    def forward(x, p):
        x = F.pad(x, [b for size in reversed(pads) for b in (size, size)])
        for axis in range(n):
            x = x.unfold(axis + 2, k[axis], s[axis])  # [image][in][places][kernel]
        letters = "xyz"[:n], "uvw"[:n]
        rule = "nc%s%s,oc%s%s->no%s" % (letters[0], letters[1], letters[0], letters[1], letters[0])
        return torch.einsum(rule, x, p["c.weight"]) + p["c.bias"]
    text = "local c %d %s" % (out, kernel) + key("stride", stride, 1) + key("pad", pad, 0)
    parameters = {"c.weight": ([out, shape[0]] + places + k, 0.5), "c.bias": ([out] + places, 1.0)}
    return Case(title, input_line(shape) + text, "c", (shape, 2.0), parameters, forward, images)


def cases_local():
    yield local("3x3, padded", [2, 4, 5], 3, "3x3", pad=1)
    yield local("stride", [3, 7, 6], 2, "3x2", stride="2x1", images=17)
    yield local("1-D", [2, 9], 3, "4", stride=2)
    yield local("the window as large as the image", [2, 3, 4], 4, "3x4")


def cases_conv_table():
    """A connection table: output o reads the inputs of its own list; weights for all others stay away or 0."""
    rows = [[0, 1, 2], [1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2, 3]]
    mask = torch.zeros(5, 4, 1, 1)
    for o, row in enumerate(rows):
        mask[o, row] = 1

    def forward(x, p):
        return F.conv2d(x, p["c.weight"] * mask, p["c.bias"])
    text = "input image 4x5x6\nconv c 5 3x2 table=" + "/".join(".".join(map(str, r)) for r in rows)
    parameters = {"c.weight": ([5, 4, 3, 2], 0.5), "c.bias": ([5], 1.0)}
    yield Case("a table of five rows", text, "c", ([4, 5, 6], 2.0), parameters, forward)


# ---- pooling ------------------------------------------------------------------------------------------------

def pool(word, functions, title, shape, kernel, stride=0, pad=0, images=2):
    n = len(shape) - 1

    def forward(x, p):
        return functions[n](x, tuple(sizes(kernel, n)), tuple(sizes(stride or kernel, n)), tuple(sizes(pad, n)))
    text = "%s %s name=p" % (word, kernel) + key("stride", stride, 0) + key("pad", pad, 0)
    return Case(title, input_line(shape) + text, "p", (shape, 2.0), {}, forward, images)


def pools_2d(word, functions):
    yield pool(word, functions, "2x2", [3, 6, 4], "2x2")
    yield pool(word, functions, "3x3, stride 2, padded", [3, 7, 8], "3x3", stride=2, pad=1)
    yield pool(word, functions, "a number of its own for each direction", [2, 9, 7], "4x3", stride="2x3", pad="2x1")
    yield pool(word, functions, "a remainder, 17 images", [1, 5, 7], "2x3", images=17)
    yield pool(word, functions, "overlapping", [2, 6, 6], "3x2", stride=1)


def pools_1d_3d(word, functions):
    yield pool(word, functions, "1-D", [3, 8], "2")
    yield pool(word, functions, "1-D, overlapping, padded", [2, 11], "5", stride=2, pad=2)
    yield pool(word, functions, "3-D", [2, 4, 4, 6], "2x2x3")
    yield pool(word, functions, "3-D, overlapping, padded", [2, 5, 6, 5], "3x3x3", stride="2x1x2", pad=1)


def cases_maxpool():
    yield from pools_2d("maxpool", MAX_POOL)


def cases_maxpool_nd():
    yield from pools_1d_3d("maxpool", MAX_POOL)


def cases_avgpool():
    yield from pools_2d("avgpool", AVG_POOL)


def cases_avgpool_nd():
    yield from pools_1d_3d("avgpool", AVG_POOL)


def whole(word, shape, function):
    return Case("%d-D" % (len(shape) - 1), input_line(shape) + word + " name=p", "p", (shape, 2.0), {}, function)


def mean_of(x, p):
    axes = list(range(2, x.dim()))
    return x.mean(axes, keepdim=True)


def max_of(x, p):
    return x.amax(list(range(2, x.dim())), keepdim=True)


def cases_globalavgpool():
    yield whole("globalavgpool", [3, 5, 7], mean_of)
    yield whole("globalavgpool", [2, 1, 1], mean_of)


def cases_globalavgpool_nd():
    yield whole("globalavgpool", [3, 9], mean_of)
    yield whole("globalavgpool", [2, 3, 4, 5], mean_of)


def cases_globalmaxpool():
    for shape in ([3, 5, 7], [3, 9], [2, 3, 4, 5]):
        yield whole("globalmaxpool", shape, max_of)


def adaptive(word, functions, shape, size):
    n = len(shape) - 1

    def forward(x, p):
        return functions[n](x, tuple(sizes(size, n)))
    return Case("%s to %s" % ("x".join(map(str, shape)), size), input_line(shape) + "%s %s name=p" % (word, size),
                "p", (shape, 2.0), {}, forward)


def adaptives(word, functions):
    yield adaptive(word, functions, [2, 6, 8], "3x2")
    yield adaptive(word, functions, [2, 7, 5], "3x4")
    yield adaptive(word, functions, [2, 3, 2], "5x3")
    yield adaptive(word, functions, [3, 11], "4")
    yield adaptive(word, functions, [2, 4, 5, 7], "2x3x3")


def cases_adaptiveavgpool():
    yield from adaptives("adaptiveavgpool",
                         [None, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d])


def cases_adaptivemaxpool():
    yield from adaptives("adaptivemaxpool",
                         [None, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d])


def cases_subsample():
    """LeNet-5 of 1998: the window's sum times one learned weight a channel, plus a bias."""
    def forward(x, p):
        total = F.avg_pool2d(x, 2) * 4
        return total * p["s.weight"].reshape(1, -1, 1, 1) + p["s.bias"].reshape(1, -1, 1, 1)
    yield Case("2x2", "input image 3x6x4\nsubsample s 2x2", "s", ([3, 6, 4], 2.0),
               {"s.weight": ([3], 0.5), "s.bias": ([3], 1.0)}, forward)

    def of_1d(x, p):
        return F.avg_pool1d(x, 3) * 3 * p["s.weight"].reshape(1, -1, 1) + p["s.bias"].reshape(1, -1, 1)
    yield Case("1-D", "input signal 2x9\nsubsample s 3", "s", ([2, 9], 2.0),
               {"s.weight": ([2], 0.5), "s.bias": ([2], 1.0)}, of_1d)


def cases_upsample():
    def up(title, shape, factor, mode):
        n = len(shape) - 1
        torch_mode = "nearest" if mode == "nearest" else ["", "linear", "bilinear", "trilinear"][n]
        options = {} if mode == "nearest" else {"align_corners": False}

        def forward(x, p):
            return F.interpolate(x, scale_factor=tuple(float(f) for f in sizes(factor, n)), mode=torch_mode,
                                 **options)
        text = "upsample %s name=u mode=%s" % (factor, mode)
        return Case(title, input_line(shape) + text, "u", (shape, 2.0), {}, forward)
    yield up("nearest", [2, 3, 4], "2x3", "nearest")
    yield up("nearest, 1-D", [3, 5], "3", "nearest")
    yield up("nearest, 3-D", [2, 2, 3, 2], "2x1x3", "nearest")
    yield up("bilinear, 2", [2, 3, 4], "2", "bilinear")
    yield up("bilinear, 3 and 4", [1, 4, 3], "3x4", "bilinear")
    yield up("linear, 1-D", [2, 5], "4", "bilinear")
    yield up("trilinear, 3-D", [1, 2, 3, 2], "2x3x2", "bilinear")


def cases_unpool():
    def unpool(title, shape, kernel, stride):
        n = len(shape) - 1
        pools = [None, F.max_pool1d, F.max_pool2d, F.max_pool3d]
        unpools = [None, F.max_unpool1d, F.max_unpool2d, F.max_unpool3d]

        def forward(x, p):
            k, s = tuple(sizes(kernel, n)), tuple(sizes(stride, n))
            y, places = pools[n](x, k, s, return_indices=True)
            return unpools[n](y * y, places, k, s, output_size=x.shape)
        text = input_line(shape) + "maxpool %s stride=%s name=m\nmultiply m name=y\nunpool m name=u" % (kernel, stride)
        return Case(title, text, "u", (shape, 2.0), {}, forward)
    yield unpool("2x2", [2, 4, 6], "2x2", "2x2")
    yield unpool("a remainder", [2, 5, 7], "2x3", "2x3")
    yield unpool("1-D", [2, 9], "3", "3")
    yield unpool("3-D", [1, 4, 4, 2], "2x2x2", "2x2x2")


def cases_crop():
    def crop(title, shape, size, at=None):
        n = len(shape) - 1
        wanted = sizes(size, n)
        first = sizes(at, n) if at is not None else [(d - s) // 2 for d, s in zip(shape[1:], wanted)]

        def forward(x, p):
            for axis in range(n):
                x = x.narrow(axis + 2, first[axis], wanted[axis])
            return x.clone()
        text = "crop %s name=c" % size + ("" if at is None else " at=%s" % at)
        return Case(title, input_line(shape) + text, "c", (shape, 2.0), {}, forward)
    yield crop("in the middle", [2, 6, 7], "4x3")
    yield crop("an odd remainder", [2, 6, 7], "3x4")
    yield crop("at a place", [2, 6, 7], "2x3", at="4x1")
    yield crop("1-D", [3, 9], "4", at="2")
    yield crop("3-D", [2, 4, 5, 6], "2x3x4")
