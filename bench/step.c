/* step.c - bench_step: whole steps of one network on random pixels, training as `fovea train` does it or
 * inference as fv_predictor does it, without data set, evaluation or files. Prints one JSON object.
 *
 * The learning rate is 0: every parameter is read and written without a change, so the values stay ordinary
 * numbers however long the program runs. */
#include "common.h"

#include "base/clock.h"
#include "base/pool.h"
#include "base/rng.h"
#include "ops/inference.h"
#include "train/train.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_BLOCKS = 101 };

typedef struct settings {
    const char *model;
    int batch, threads, blocks;
    double seconds;
    bool infer, list;
} settings;

/* One step, of training or inference. */
typedef struct stepper {
    fv_context *ctx;
    fv_model *model;
    fv_batch batch;
    fv_noise noise;
    fv_trainer *trainer; /* NULL: inference, then: */
    fv_graph graph;
    fv_evaluator *evaluator;
    float *probabilities;
} stepper;

/* ---- the step --------------------------------------------------------------------------------------- */

static void draw_batch(stepper *s, int n)
{
    die_unless_ok(s->ctx, fv__noise_create(s->model, n, &s->noise), "noise");
    s->batch = (fv_batch){.n = n, .feed = s->noise.feed, .image_weight = 1.0f / (float)n};
}

/* Statistics of uniform bytes, so that the network sees numbers around 0 of size 1. */
static void set_statistics(fv_model *model)
{
    const char *const names[] = {"input.mean", "input.inv_std"};
    for (int k = 0; k < 2; k++) {
        const int tensor = fv__graph_find_tensor(&model->graph, names[k]);
        const int param = tensor < 0 ? -1 : fv__model_param_of(model, tensor);
        for (size_t i = 0; param >= 0 && i < model->params[param].n; i++)
            fv__model_values(model, param)[i] = k == 0 ? 0.5f : 3.46f;
    }
}

static void open_inference(stepper *s, int batch)
{
    die_unless_ok(s->ctx, fv__graph_for_inference(&s->model->graph, &s->graph), "graph");
    die_unless_ok(s->ctx, fv__evaluator_create(s->model, false, batch, &s->evaluator), "plan");
    s->probabilities = malloc((size_t)batch * (size_t)fv__model_n_outputs(s->model) * sizeof(float));
    if (!s->probabilities)
        die("out of memory");
}

static void open_stepper(stepper *s, const settings *o)
{
    s->ctx = open_context(o->threads);
    die_unless_ok(s->ctx, fv_model_open(s->ctx, o->model, &s->model), o->model);
    set_statistics(s->model);
    draw_batch(s, o->batch);
    if (o->infer)
        open_inference(s, o->batch);
    else
        die_unless_ok(s->ctx, fv__trainer_create(s->model, o->batch, "sgd", 0, &s->trainer), o->model);
}

static void close_stepper(stepper *s)
{
    fv__trainer_destroy(s->trainer);
    fv__evaluator_destroy(s->evaluator);
    free(s->probabilities);
    if (s->graph.ctx)
        fv__graph_deinit(&s->graph);
    fv__noise_destroy(&s->noise);
    fv_model_destroy(s->model);
    fv_context_destroy(s->ctx);
}

/* Seconds of n steps. */
static double steps(stepper *s, int n)
{
    static const fv_rates rates = {.momentum = 0.9, .update = 1};
    const double start = fv__seconds();
    double loss = 0;
    const fv_samples samples = {.name = "random pixels", .feed = {s->noise.feed[0]}};
    for (int i = 0; i < n; i++)
        die_unless_ok(s->ctx,
                      s->trainer ? fv__trainer_step(s->trainer, &s->batch, &rates, &loss)
                                 : fv__predict(s->evaluator, &samples, 0, s->batch.n, s->probabilities),
                      "step");
    return fv__seconds() - start;
}

/* By the formulas of the operations, for every kernel: a Winograd kernel may exceed the peak. */
static double flops_of(const stepper *s)
{
    const fv_graph *const g = s->trainer ? &s->trainer->graph : &s->graph;
    double sum = 0;
    for (size_t k = 0; k < g->n_nodes; k++) {
        const fv_node *const node = &g->nodes[k];
        fv_shape in[FV_MAX_INPUTS] = {{0}};
        for (int i = 0; i < node->n_inputs; i++)
            in[i] = g->tensors[node->input[i]].shape;
        if (node->op->cost && (s->trainer || node->op->part != FV_PART_LOSS))
            sum += node->op->cost(node->attrs, in, g->tensors[node->output].shape).flops;
    }
    return sum * s->batch.n;
}

/* ---- the program ------------------------------------------------------------------------------------ */

static const char usage[] =
    "usage: bench_step --model NAME [OPTIONS]\n"
    "Times whole steps of one network on random pixels and prints one JSON object.\n\n"
    "  --model NAME    a built-in model, or a model text file\n"
    "  --batch N       images of a step (128)\n"
    "  --threads N     (2)\n"
    "  --infer         inference; training where left out\n"
    "  --blocks N      so many stretches of steps; their median counts (5)\n"
    "  --seconds S     the length of one (1)\n"
    "  --list          the built-in models, a line each\n";

static settings read_options(int argc, char **argv)
{
    static const struct option known[] = {{"model", required_argument, NULL, 'm'},
                                          {"batch", required_argument, NULL, 'b'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"blocks", required_argument, NULL, 'n'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"infer", no_argument, NULL, 'i'},
                                          {"list", no_argument, NULL, 'l'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    settings o = {.batch = 128, .threads = 2, .blocks = 5, .seconds = 1};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'm':
            o.model = optarg;
            break;
        case 'b':
            o.batch = whole_option("batch", optarg, 1, 4096);
            break;
        case 't':
            o.threads = whole_option("threads", optarg, 1, 1024);
            break;
        case 'n':
            o.blocks = whole_option("blocks", optarg, 1, MAX_BLOCKS);
            break;
        case 's':
            o.seconds = real_option("seconds", optarg, 0.001, 3600);
            break;
        case 'i':
            o.infer = true;
            break;
        case 'l':
            o.list = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    if (optind < argc || (!o.model && !o.list)) {
        fputs(usage, stderr);
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    const settings o = read_options(argc, argv);
    if (o.list) {
        for (int i = 0; fv_zoo_name(i); i++)
            puts(fv_zoo_name(i));
        return 0;
    }
    stepper s = {0};
    open_stepper(&s, &o);
    double seconds[MAX_BLOCKS], peak[MAX_BLOCKS];
    steps(&s, 2); /* also warms the caches */
    const int n = (int)fmax(1, floor(o.seconds / steps(&s, 1)));
    for (int i = 0; i < o.blocks; i++) {
        peak[i] = measure_peak(s.ctx);
        seconds[i] = steps(&s, n) / n;
    }
    const double step = median(seconds, o.blocks), flops = flops_of(&s);
    const double typical_peak = median(peak, o.blocks);
    const size_t run_bytes = s.trainer ? fv__run_bytes(s.trainer->run) : fv__evaluator_bytes(s.evaluator);
    struct rusage usage_now;
    getrusage(RUSAGE_SELF, &usage_now);
    printf(
        "{\"samples_per_s\":%.7g,\"step_ms\":%.5g,\"gflops\":%.5g,\"peak_gflops\":%.5g,\"peak_share\":%.4g,"
        "\"flops_per_step\":%.10g,\"run_bytes\":%zu,\"max_resident_kib\":%ld,\"isa\":\"%s\"}\n",
        o.batch / step, step * 1e3, flops / step * 1e-9, typical_peak * 1e-9, flops / step / typical_peak,
        flops, run_bytes, usage_now.ru_maxrss, fv_context_isa(s.ctx));
    close_stepper(&s);
    return 0;
}
