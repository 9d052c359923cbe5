"""pins_training.py - cases of losses and of optimisers."""
import numpy
import torch
import torch.nn.functional as F

from make_pins import Case, labels, tensor, unit

TOLERANCE = {"sgd": 1e-5, "adam": 2e-5, "adamw": 2e-5, "nesterov": 1e-5}


# ---- losses: of every image, and the gradient of their sum --------------------------------------------------

def loss_of_classes(title, text, n, classes, function, images=5, scale=4.0):
    return Case(title, text, "loss", ([n, 1, 1], scale), {},
                lambda x, p: function(x.flatten(1), labels(images, classes)), images, classes=classes, loss=True)


def cases_cross_entropy():
    for n in (2, 10, 17):
        yield loss_of_classes("%d classes" % n, "input image %dx1x1\nflatten\nsoftmax\nloss cross-entropy" % n, n, n,
                              lambda x, t: F.cross_entropy(x, t, reduction="none"), images=17 if n == 10 else 5)
    yield loss_of_classes("large scores", "input image 5x1x1\nflatten\nsoftmax\nloss cross-entropy", 5, 5,
                          lambda x, t: F.cross_entropy(x, t, reduction="none"), scale=60.0)


def cases_binary_cross_entropy():
    yield loss_of_classes("one label", "input image 1x1x1\nflatten\nsigmoid\nloss binary-cross-entropy", 1, 2,
                          lambda x, t: F.binary_cross_entropy_with_logits(x[:, 0], t.double(), reduction="none"),
                          images=17)


def cases_squared_error():
    yield loss_of_classes("a class", "input image 6x1x1\nflatten\nloss squared-error", 6, 6,
                          lambda x, t: ((x - F.one_hot(t, 6)) ** 2).sum(1))


TARGETS = {"input": ([3, 2, 2], 2.0), "target": ([3, 2, 2], 2.0, 0.25)}


def against_values(title, line, function, inputs=None, text="input image 3x2x2\nidentity"):
    return Case(title, text + "\n" + line, "loss", inputs or TARGETS, {},
                lambda x, t, p: function(x, t.detach()).flatten(1).sum(1), images=5, loss=True, grads=["input"])


def cases_squared_error_values():
    yield against_values("an image", "loss squared-error", lambda x, t: (x - t) ** 2)
    yield against_values("weighed", "loss squared-error weight=0.5", lambda x, t: 0.5 * (x - t) ** 2)


def cases_absolute_error():
    yield against_values("an image", "loss absolute-error", lambda x, t: (x - t).abs())


def cases_huber():
    yield against_values("delta 1", "loss huber", lambda x, t: F.huber_loss(x, t, reduction="none"))
    yield against_values("delta 0.5", "loss huber delta=0.5",
                         lambda x, t: F.huber_loss(x, t, reduction="none", delta=0.5))


def cases_binary_cross_entropy_values():
    vector = {"input": ([7, 1, 1], 4.0), "target": ([7], 0.5, 0.5)}
    yield against_values("many labels", "loss binary-cross-entropy",
                         lambda x, t: F.binary_cross_entropy_with_logits(x.flatten(1), t, reduction="none"), vector,
                         "input image 7x1x1\nflatten\nsigmoid")


def signs(t, n):
    return 2 * F.one_hot(t, n) - 1


def cases_hinge():
    yield loss_of_classes("each class against the others", "input image 4x1x1\nflatten\nloss hinge", 4, 4,
                          lambda x, t: F.relu(1 - signs(t, 4) * x).sum(1))


def cases_perceptron():
    yield loss_of_classes("each class against the others", "input image 4x1x1\nflatten\nloss perceptron", 4, 4,
                          lambda x, t: F.relu(-signs(t, 4) * x).sum(1))


def cases_cross_entropy_keys():
    start = "input image 3x1x1\nflatten\nsoftmax\nloss cross-entropy "
    weights = torch.tensor([1.0, 0.5, 2.0])
    yield loss_of_classes("smoothing", start + "smoothing=0.125", 3, 3,
                          lambda x, t: F.cross_entropy(x, t, reduction="none", label_smoothing=0.125))
    yield loss_of_classes("weights", start + "weights=1/0.5/2", 3, 3,
                          lambda x, t: F.cross_entropy(x, t, reduction="none", weight=weights))


def cases_pixel_cross_entropy():
    def forward(x, target, p):
        t = torch.tensor([(i * 7 + 3) % 3 for i in range(x.shape[0] * 20)]).reshape(-1, 4, 5)
        return F.cross_entropy(x, t, reduction="none").flatten(1).mean(1)
    yield Case("a picture of labels", "input image 3x4x5\nidentity\nloss pixel-cross-entropy", "loss",
               {"input": ([3, 4, 5], 4.0), "label": ([1, 4, 5], 0.0)}, {}, forward, images=3, classes=3, loss=True,
               grads=["input"])


# ---- optimisers ---------------------------------------------------------------------------------------------

class Training:
    """Epochs of one update each, over all images. The network: a convolution, batch normalisation, ReLU, a linear
    layer with softmax, so that decay reaches weights but neither biases nor what a normalisation learns. (A bias
    of the convolution would have no gradient, and Adam would make steps of its rounding errors.)"""
    pixels, classes = 31, 3
    text = ("input image 2x5x4\nconv c 3 3x3 pad=1 bias=no\nbatchnorm b\nrelu\nflatten\nlinear f 3\nsoftmax\n"
            "loss cross-entropy").split("\n")
    parameters = {"c.weight": ([3, 2, 3, 3], 0.5), "b.weight": ([3], 0.5, 1.0),
                  "b.bias": ([3], 0.5), "f.weight": ([3, 60], 0.25), "f.bias": ([3], 0.5)}
    decays = ("c.weight", "f.weight")

    def __init__(self, title, training, update, epochs, images=7):
        self.title, self.training, self.update, self.epochs = title, training, update, epochs
        self.images = images

    def standardised(self):
        n = self.images * 40
        pixels = torch.from_numpy(numpy.floor(127.5 * (unit(n, self.pixels) + 1))).reshape(self.images, 2, 5, 4) / 255
        mean = pixels.mean([0, 2, 3], keepdim=True)
        return (pixels - mean) / torch.sqrt(((pixels - mean) ** 2).mean([0, 2, 3], keepdim=True))

    def run(self):
        x, t = self.standardised(), labels(self.images, self.classes)
        p = {name: tensor(shape, k + 1, *spec).requires_grad_()
             for k, (name, (shape, *spec)) in enumerate(self.parameters.items())}
        mean, var, state = torch.zeros(3), torch.ones(3), {}
        for step in range(1, self.epochs + 1):
            y = F.conv2d(x, p["c.weight"], None, padding=1)
            y = F.relu(F.batch_norm(y, mean, var, p["b.weight"], p["b.bias"], True, 0.1, 1e-5)).flatten(1)
            loss = F.cross_entropy(F.linear(y, p["f.weight"], p["f.bias"]), t)
            gradients = torch.autograd.grad(loss, list(p.values()))
            with torch.no_grad():
                for (name, v), g in zip(p.items(), gradients):
                    self.update(v, g, state.setdefault(name, {}), step, name in self.decays)
        return dict(p, **{"b.running_mean": mean, "b.running_var": var})


def torch_update(make, decay):
    """An update by the optimiser of torch.optim that make(parameters, weight_decay) returns."""
    def update(v, g, state, step, decays):
        if "optimizer" not in state:
            state["parameter"] = torch.nn.Parameter(v.detach().clone())
            state["optimizer"] = make([state["parameter"]], decay if decays else 0.0)
        state["parameter"].grad = g
        state["optimizer"].step()
        v.copy_(state["parameter"])
    return update


def sgd(title, epochs, lr, momentum=0.0, decay=0.0):
    words = "optimizer=sgd epochs=%d lr=%g momentum=%g weight_decay=%g" % (epochs, lr, momentum, decay)
    return Training(title, words, torch_update(
        lambda p, d: torch.optim.SGD(p, lr=lr, momentum=momentum, weight_decay=d), decay), epochs)


def cases_sgd():
    yield sgd("plain", 3, 0.25)
    yield sgd("momentum", 5, 0.125, momentum=0.75)
    yield sgd("momentum and decay", 5, 0.125, momentum=0.75, decay=0.0625)


def nesterov(title, epochs, lr, momentum, decay=0.0):
    words = "optimizer=nesterov epochs=%d lr=%g momentum=%g weight_decay=%g" % (epochs, lr, momentum, decay)
    return Training(title, words, torch_update(
        lambda p, d: torch.optim.SGD(p, lr=lr, momentum=momentum, weight_decay=d, nesterov=True), decay), epochs)


def cases_nesterov():
    yield nesterov("momentum", 5, 0.125, 0.75)
    yield nesterov("momentum and decay", 5, 0.125, 0.75, 0.0625)


def adam(title, epochs, lr, words="", decay=0.0, betas=(0.9, 0.999)):
    options = "optimizer=adam%s epochs=%d lr=%g weight_decay=%g" % (words, epochs, lr, decay)
    return Training(title, options, torch_update(
        lambda p, d: torch.optim.Adam(p, lr=lr, betas=betas, weight_decay=d), decay), epochs)


def cases_adam():
    yield adam("defaults", 5, 0.03125)
    yield adam("betas", 5, 0.03125, ":beta1=0.75,beta2=0.9375", betas=(0.75, 0.9375))
    yield adam("decay", 5, 0.03125, decay=0.0625)


def adamw(title, epochs, lr, words="", decay=0.0, betas=(0.9, 0.999), eps=1e-8):
    options = "optimizer=adamw%s epochs=%d lr=%g weight_decay=%g" % (words, epochs, lr, decay)
    return Training(title, options, torch_update(
        lambda p, d: torch.optim.AdamW(p, lr=lr, betas=betas, eps=eps, weight_decay=d), decay), epochs)


def cases_adamw():
    yield adamw("decay", 5, 0.03125, decay=0.5)
    yield adamw("all words", 4, 0.03125, ":beta1=0.75,beta2=0.9375,eps=0.0078125", 0.25, (0.75, 0.9375), 0.0078125)
