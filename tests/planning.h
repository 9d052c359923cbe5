/* planning.h - what the tests of plans share: a context whose memory is guarded, graphs, plans, and models to
 * make them of. Include after cmocka.h. */
#ifndef FV_TESTS_PLANNING_H
#define FV_TESTS_PLANNING_H

#include "guarded.h"
#include "model/model.h"
#include "ops/optimizer.h"
#include "plan/plan.h"
#include "scratch.h"
#include "training.h"

static fv_context *ctx;

/* Two threads; blocks end at pages that nobody may touch. */
static inline int planning_setup(void **state)
{
    (void)state;
    const fv_context_options options = {
        .n_threads = 2, .allocator = {guarded_allocator_allocate, guarded_allocator_release, NULL}};
    return fv_context_create(&options, &ctx, NULL, 0);
}

static inline int planning_teardown(void **state)
{
    (void)state;
    fv_context_destroy(ctx);
    return 0;
}

static inline void training_graph(const fv_model *m, fv_graph *graph)
{
    const int *gradient;
    assert_well(ctx, fv__graph_copy(&m->graph, graph));
    assert_well(ctx, fv__differentiate(graph, &gradient));
    assert_well(ctx, fv__append_updates(graph, gradient, &fv_optimizer_sgd));
}

static inline fv_plan *plan_of(const fv_graph *graph, fv_plan_options options)
{
    fv_plan *plan = NULL;
    assert_well(ctx, fv__plan_create(ctx, graph, &options, &plan));
    return plan;
}

/* Beside the zoo: branches, dropout, strides, odd sizes; batch normalisation with two ways to one sum; enough
 * channels for Winograd, and work for several workers on one block. */
static const char *const more_models[] = {
    TRAINING_TINY,
    "input image 3x9x7\nconv c1 5 3x3 pad=1\nrelu name=trunk\nconv c2 5 3x3 pad=1\nsoftplus name=branch\n"
    "add trunk\ndropout 0.2\nadd branch\nconv c3 17 2x2 stride=2\ntanh\navgpool 2x2\nflatten\nlinear h 19\n"
    "sigmoid\ndropout 0.5\nlinear out 4\nsoftmax\nloss squared-error\n",
    "input image 3x8x6\nconv c1 5 3x3 pad=1 bias=no\nbatchnorm b1\nrelu name=trunk\n"
    "conv c2 7 3x3 stride=2 pad=1\nbatchnorm b2\nrelu\nconv c3 7 3x3 pad=1 bias=no\nbatchnorm b3\n"
    "conv short 7 1x1 stride=2 bias=no from=trunk\nbatchnorm b4\nadd b3\nrelu\nglobalavgpool\nflatten\n"
    "linear h 9\nbatchnorm b5\ntanh\nlinear out 4\nsoftmax\n",
    "input image 3x10x9\nconv c1 32 3x3 pad=1\nrelu\nconv c2 33 3x3 pad=1\nrelu\nconv c3 40 1x1 stride=2\n"
    "relu\nconv c4 17 3x3 stride=2\nflatten\nlinear out 4\nsoftmax\n",
    "input image 3x24x24\nconv c1 36 5x5 stride=2 pad=2\nrelu\nconv c2 80 1x1\nbatchnorm b2\n"
    "relu name=trunk\nconv c3 40 3x3 stride=2 pad=1\nbatchnorm b3\n"
    "conv short 40 1x1 stride=2 bias=no from=trunk\nadd b3\nrelu\nglobalavgpool\nflatten\nlinear out 4\n"
    "softmax\n",
    TRAINING_TRANSFORMER,
    /* all that moves values along axes */
    "input image 3x9x8\nconv c1 5 3x3 pad=1 border=mirror\nmaxpool 2x2 name=pool\nborder 1x0 end=0x2 "
    "mode=edge\n"
    "conv c2 20 3x3 pad=same border=modulo\nrelu\ncrop 4x4 at=1x0\nupsample 2 mode=bilinear name=up\n"
    "upsample 2 from=pool\nconcat up\nconv c3 5 1x1\navgpool 2x2\nunpool pool\nconv c4 6 2x2 stride=2\n"
    "sigmoid name=gate\nmultiply gate\npermute 1x0x2\nreshape 4x24\nslice 1 20\nslice 0 3 axis=0\nmean 1\n"
    "linear out 4\nsoftmax\n",
};
enum { N_MORE_MODELS = sizeof more_models / sizeof *more_models };

static inline const char *model_at(int i)
{
    int n_zoo = 0;
    while (fv_zoo_name(n_zoo))
        n_zoo++;
    const int more = i - n_zoo;
    return i < n_zoo ? fv_zoo_name(i) : more < N_MORE_MODELS ? more_models[more] : NULL;
}

/* Tests that compute leave the networks of a hundred million operations an image and more to the plans alone:
 * a step of ResNet-50 is minutes and gigabytes here, and its layers are those of the smaller models. */
static inline bool is_small(const fv_model *m)
{
    return fv_model_describe(m).flops < 10 * 1000 * 1000;
}

#endif
