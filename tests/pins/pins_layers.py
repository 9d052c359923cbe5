"""pins_layers.py - cases of layers without a window: linear, normalisations, activations, sequences, shapes."""
import torch
import torch.nn.functional as F

from make_pins import Case

EPS = 1e-5


def affine(name, n):
    return {name + ".weight": ([n], 0.5, 1.0), name + ".bias": ([n], 1.0)}


def cases_linear():
    def linear(title, n_in, n_out, bias=True, images=3):
        parameters = {"f.weight": ([n_out, n_in], 0.5)}
        if bias:
            parameters["f.bias"] = ([n_out], 1.0)
        text = "input image %dx1x1\nflatten\nlinear f %d" % (n_in, n_out) + ("" if bias else " bias=no")
        return Case(title, text, "f", ([n_in, 1, 1], 2.0), parameters,
                    lambda x, p: F.linear(x.flatten(1), p["f.weight"], p.get("f.bias")), images)
    yield linear("5 to 3", 5, 3)
    yield linear("one input", 1, 4, images=2)
    yield linear("17 to 33, no bias, 18 images", 17, 33, bias=False, images=18)
    yield linear("260 inputs: three runs of terms", 260, 7)
    text = "input image 4x3x2\ntokens\nlinear f 5"

    def tokens(x, p):
        return F.linear(x.flatten(2).transpose(1, 2), p["f.weight"], p["f.bias"]).transpose(1, 2)
    yield Case("of each token", text, "f", ([4, 3, 2], 2.0), {"f.weight": ([5, 4], 0.5), "f.bias": ([5], 1.0)},
               tokens)


def cases_bias():
    def of(shape):
        return lambda x, p: x + p["b.bias"].reshape([1, -1] + [1] * (len(shape) - 1))
    yield Case("of channels", "input image 3x2x4\nbias b", "b", ([3, 2, 4], 2.0), {"b.bias": ([3], 1.0)}, of("chw"))


# ---- normalisations -----------------------------------------------------------------------------------------

def batchnorm(title, line, shape, images, flat=False):
    n = shape[0]

    def norm(x, p, training):
        x = x.flatten(1) if flat else x
        mean, var = p["b.running_mean"].detach(), p["b.running_var"].detach()
        return F.batch_norm(x, None if training else mean, None if training else var, p["b.weight"], p["b.bias"],
                            training, 0.1, EPS)
    parameters = dict(affine("b", n), **{"b.running_mean": ([n], 0.5), "b.running_var": ([n], 0.5, 1.0)})
    return Case(title, line + ("\nflatten" if flat else "") + "\nbatchnorm b", "b", (shape, 2.0, 0.5), parameters,
                lambda x, p: norm(x, p, True), images, lambda x, p: norm(x, p, False),
                grads=["input", "b.weight", "b.bias"])


def cases_batchnorm():
    yield batchnorm("an image", "input image 3x4x5", [3, 4, 5], 4)
    yield batchnorm("17 images", "input image 5x2x3", [5, 2, 3], 17)
    yield batchnorm("a vector", "input image 7x1x1", [7, 1, 1], 5, flat=True)


def cases_batchnorm_nd():
    yield batchnorm("1-D", "input signal 3x9", [3, 9], 3)
    yield batchnorm("3-D", "input video 2x3x2x4", [2, 3, 2, 4], 17)


def cases_layernorm():
    def norm(x, p):
        y = F.layer_norm(x.movedim(1, -1), [x.shape[1]], p["n.weight"], p["n.bias"], EPS)
        return y.movedim(-1, 1)
    yield Case("of each pixel", "input image 7x2x3\nlayernorm n", "n", ([7, 2, 3], 2.0, 0.25), affine("n", 7), norm)
    yield Case("of a vector", "input image 21x1x1\nflatten\nlayernorm n", "n", ([21, 1, 1], 2.0), affine("n", 21),
               lambda x, p: norm(x.flatten(1), p), images=17)
    yield Case("of tokens", "input image 5x3x1\ntokens\nlayernorm n", "n", ([5, 3, 1], 2.0), affine("n", 5),
               lambda x, p: norm(x.flatten(2), p))


NORM_INPUTS = [("image 6x3x4", [6, 3, 4]), ("signal 4x7", [4, 7]), ("video 4x2x3x3", [4, 2, 3, 3])]


def cases_groupnorm():
    for words, shape in NORM_INPUTS:
        for groups in (1, 2, shape[0]):
            yield Case("%s, %d groups" % (words, groups), "input %s\ngroupnorm n %d" % (words, groups), "n",
                       (shape, 2.0, 0.5), affine("n", shape[0]),
                       lambda x, p, g=groups: F.group_norm(x, g, p["n.weight"], p["n.bias"], EPS), images=3)


def cases_instancenorm():
    for words, shape in NORM_INPUTS:
        yield Case(words, "input %s\ninstancenorm n" % words, "n", (shape, 2.0, 0.5), affine("n", shape[0]),
                   lambda x, p: F.instance_norm(x, None, None, p["n.weight"], p["n.bias"], True, 0.1, EPS), images=3)


def cases_lrn():
    def lrn(title, words, shape, size, keys="", **options):
        options = dict(dict(alpha=1e-4, beta=0.75, k=1.0), **options)
        return Case(title, "input %s\nlrn %d name=n%s" % (words, size, keys), "n", (shape, 8.0), {},
                    lambda x, p: F.local_response_norm(x, size, **options))
    yield lrn("of 5", "image 9x3x2", [9, 3, 2], 5)
    yield lrn("strong", "image 7x2x3", [7, 2, 3], 3, " alpha=0.5 beta=0.6 k=2", alpha=0.5, beta=0.6, k=2.0)
    yield lrn("wider than the channels", "image 3x2x2", [3, 2, 2], 5, " alpha=0.25", alpha=0.25)
    yield lrn("an even size", "image 6x2x2", [6, 2, 2], 4, " alpha=0.25", alpha=0.25)
    yield lrn("1-D", "signal 5x7", [5, 7], 3, " alpha=0.25", alpha=0.25)
    yield lrn("3-D", "video 5x2x2x3", [5, 2, 2, 3], 3, " alpha=0.25", alpha=0.25)


# ---- activations: [image][3][4][5] in about -8 to 8 ---------------------------------------------------------

def activation(line, function, scale=8.0, parameters=None, title="8", grads=None):
    return Case(title, "input image 3x4x2\n%s name=a" % line if "prelu" not in line else "input image 3x4x2\n" + line,
                "a", ([3, 4, 2], scale), parameters or {}, function, images=3, grads=grads)


def pair(line, function):
    """Far from 0 and near it."""
    yield activation(line, lambda x, p: function(x), 8.0, title="far")
    yield activation(line, lambda x, p: function(x), 1.5, title="near")


def cases_identity():
    yield from pair("sigmoid\nidentity", torch.sigmoid)


def cases_sigmoid():
    yield from pair("sigmoid", torch.sigmoid)


def cases_tanh():
    yield from pair("tanh", torch.tanh)


def cases_softplus():
    yield from pair("softplus", lambda x: F.softplus(x, threshold=1e9))


def cases_gelu():
    yield from pair("gelu", F.gelu)


def cases_relu():
    yield from pair("relu", F.relu)


def cases_leakyrelu():
    yield from pair("leakyrelu", F.leaky_relu)
    yield from pair("leakyrelu slope=0.25", lambda x: F.leaky_relu(x, 0.25))


def cases_prelu():
    yield activation("prelu a", lambda x, p: F.prelu(x, p["a.weight"]), 2.0, {"a.weight": ([3], 0.5, 0.25)}, "2")


def cases_elu():
    yield from pair("elu", F.elu)
    yield from pair("elu alpha=0.5", lambda x: F.elu(x, 0.5))


def cases_silu():
    yield from pair("silu", F.silu)


def cases_hardsigmoid():
    yield from pair("hardsigmoid", F.hardsigmoid)


def cases_hardswish():
    yield from pair("hardswish", F.hardswish)


def cases_hardtanh():
    yield from pair("hardtanh", F.hardtanh)
    yield from pair("hardtanh min=-0.5 max=2", lambda x: F.hardtanh(x, -0.5, 2.0))


def cases_scaledtanh():
    yield from pair("scaledtanh", lambda x: 1.7159 * torch.tanh(2 * x / 3))


def cases_relu6():
    yield from pair("relu6", F.relu6)


def cases_step():
    yield activation("step", lambda x, p: torch.heaviside(x.detach(), torch.tensor(0.0)), 2.0, title="2", grads=[])


def cases_sign():
    yield activation("sign", lambda x, p: torch.sign(x.detach()), 2.0, title="2", grads=[])


def cases_softmax():
    for n in (2, 10, 17):
        yield Case("%d" % n, "input image %dx1x1\nflatten\nsoftmax name=s" % n, "s", ([n, 1, 1], 8.0), {},
                   lambda x, p: torch.softmax(x.flatten(1), 1), images=3)


# ---- sequences ----------------------------------------------------------------------------------------------

def attend(x, p, heads, queries=None):
    """x [image][channel][token], as nn.MultiheadAttention without dropout, of the first `queries` tokens."""
    x = x.permute(2, 0, 1)
    q = x if queries is None else x[:queries]
    c = x.shape[2]
    y, _ = F.multi_head_attention_forward(q, x, x, c, heads, p["a.in_proj_weight"], p["a.in_proj_bias"], None, None,
                                          False, 0.0, p["a.out_proj.weight"], p["a.out_proj.bias"], need_weights=False)
    return y.permute(1, 2, 0)


def attention(title, line, shape, heads, queries=None, images=2):
    c = shape[0]
    text = line + "\nattention a %d" % heads + ("" if queries is None else " queries=%d" % queries)
    parameters = {"a.in_proj_weight": ([3 * c, c], 0.5), "a.in_proj_bias": ([3 * c], 0.5),
                  "a.out_proj.weight": ([c, c], 0.5), "a.out_proj.bias": ([c], 0.5)}
    return Case(title, text, "a", (shape, 2.0), parameters,
                lambda x, p: attend(x.flatten(2), p, heads, queries), images)


def cases_attention():
    yield attention("one head", "input image 4x5x1\ntokens", [4, 5, 1], 1)
    yield attention("three heads, 17 images", "input image 6x2x2\ntokens", [6, 2, 2], 3, images=17)
    yield attention("one query", "input image 8x7x1\ntokens", [8, 7, 1], 2, queries=1)


def cases_tokens():
    def forward(x, p):
        rows = torch.cat([p["cls"].expand(x.shape[0], 1, 3), x.flatten(2).transpose(1, 2)], 1)
        return (rows + p["pos"]).transpose(1, 2)
    yield Case("a class token and positions", "input image 3x2x4\ntokens\nclasstoken cls\nposition pos", "pos",
               ([3, 2, 4], 2.0), {"cls": ([1, 1, 3], 1.0), "pos": ([1, 9, 3], 1.0)}, forward, images=3)


def cases_sequence():
    yield attention("attention", "input sequence 6x5", [6, 5], 2)
    yield Case("linear", "input sequence 4x7\nlinear f 5", "f", ([4, 7], 2.0),
               {"f.weight": ([5, 4], 0.5), "f.bias": ([5], 1.0)},
               lambda x, p: F.linear(x.transpose(1, 2), p["f.weight"], p["f.bias"]).transpose(1, 2))


# ---- shapes -------------------------------------------------------------------------------------------------

def shaped(title, text, output, shape, function, images=2):
    return Case(title, text, output, (shape, 2.0), {}, lambda x, p: function(x), images)


def cases_add():
    yield shaped("the input twice", "input image 2x3x4\nadd input name=y", "y", [2, 3, 4], lambda x: x + x)
    yield shaped("two ways", "input image 2x3x4\nsigmoid name=s\ntanh from=input\nadd s name=y", "y", [2, 3, 4],
                 lambda x: torch.sigmoid(x) + torch.tanh(x))


def cases_slice():
    yield shaped("tokens", "input image 3x7x1\ntokens\nslice 2 3 name=y", "y", [3, 7, 1],
                 lambda x: x.flatten(2)[:, :, 2:5].clone())


def cases_slice_axis():
    yield shaped("channels", "input image 5x3x4\nslice 1 3 axis=0 name=y", "y", [5, 3, 4], lambda x: x[:, 1:4].clone())
    yield shaped("rows", "input image 2x5x3\nslice 3 0 axis=1 name=y", "y", [2, 5, 3], lambda x: x[:, :, 3:].clone())
    yield shaped("columns", "input image 2x3x6\nslice 0 4 axis=2 name=y", "y", [2, 3, 6],
                 lambda x: x[:, :, :, :4].clone())


def cases_multiply():
    yield shaped("a square", "input image 2x3x4\nmultiply input name=y", "y", [2, 3, 4], lambda x: x * x)
    yield shaped("a gate", "input image 2x3x4\nsigmoid name=s\ntanh from=input\nmultiply s name=y", "y", [2, 3, 4],
                 lambda x: torch.sigmoid(x) * torch.tanh(x))


def cases_reshape():
    yield shaped("an image to a video", "input image 6x4x2\nsigmoid\nreshape 2x3x2x4 name=y", "y", [6, 4, 2],
                 lambda x: torch.sigmoid(x).reshape(-1, 2, 3, 2, 4).clone())
    yield shaped("a vector to an image", "input vector 24\nsigmoid\nreshape 2x3x4 name=y", "y", [24],
                 lambda x: torch.sigmoid(x).reshape(-1, 2, 3, 4).clone())
    yield shaped("to a signal", "input image 2x3x4\nsigmoid\nreshape 6x4 name=y", "y", [2, 3, 4],
                 lambda x: torch.sigmoid(x).reshape(-1, 6, 4).clone())


def cases_permute():
    yield shaped("an image", "input image 2x3x5\npermute 2x0x1 name=y", "y", [2, 3, 5],
                 lambda x: x.permute(0, 3, 1, 2).contiguous())
    yield shaped("a signal", "input signal 4x7\npermute 1x0 name=y", "y", [4, 7],
                 lambda x: x.transpose(1, 2).contiguous())
    yield shaped("a video", "input video 2x3x4x2\npermute 3x1x0x2 name=y", "y", [2, 3, 4, 2],
                 lambda x: x.permute(0, 4, 2, 1, 3).contiguous())


def cases_concat():
    yield shaped("two", "input image 2x3x4\nsigmoid name=s\ntanh from=input\nconcat s name=y", "y", [2, 3, 4],
                 lambda x: torch.cat([torch.tanh(x), torch.sigmoid(x)], 1))
    yield shaped("three, of different widths",
                 "input image 4x3x2\nslice 0 1 axis=0 name=a\nslice 1 2 axis=0 name=b from=input\n"
                 "tanh from=input\nconcat a b name=y", "y", [4, 3, 2],
                 lambda x: torch.cat([torch.tanh(x), x[:, :1], x[:, 1:3]], 1))


def cases_mean():
    yield shaped("over channels", "input image 5x3x4\nmean 0 name=y", "y", [5, 3, 4], lambda x: x.mean(1))
    yield shaped("over rows", "input image 2x5x4\nmean 1 name=y", "y", [2, 5, 4], lambda x: x.mean(2))
    yield shaped("over positions", "input signal 3x70\nmean 1 name=y", "y", [3, 70], lambda x: x.mean(2))


def cases_vector():
    yield Case("linear", "input vector 13\nlinear f 5", "f", ([13], 2.0),
               {"f.weight": ([5, 13], 0.5), "f.bias": ([5], 1.0)},
               lambda x, p: F.linear(x, p["f.weight"], p["f.bias"]), images=3)
