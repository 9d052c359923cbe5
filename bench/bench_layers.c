/* bench_layers.c - the layers of known networks, one by one, compared with oneDNN in one process.
 *
 * For every layer and pass both sides get the same values, must agree on the result, and are then timed in
 * turns: Fovea, oneDNN, the machine's peak, Fovea ... A turn is a pause, in which the other side's threads
 * fall asleep, a few runs that do not count, and then some that do. Figures are medians over the turns; the
 * ratio is the median of each turn's own (above 1: Fovea is faster). The fastest of oneDNN's variants counts,
 * without its reorders of values and weights; Fovea's packing counts.
 *
 * The floor of a layer is the larger of two times: its flops at the peak, and its bytes (x, w and y once
 * each) at the bandwidth with which the same threads add two arrays of as many bytes. Layers that oneDNN
 * lacks are compared with the floor alone. */
#include "bench_layers.h"

#include "base/rng.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_MS = 25, MAX_ROUNDS = 101, MAX_ROWS = 64 };
#define TURN_SECONDS 0.02
#define WARM_SECONDS                                                                                         \
    0.01 /* the system needs some milliseconds to spread threads that wake over the cores                    \
          */
/* Winograd's transforms and other orders of sums cost some units in the fifth digit; a mistake costs all
 * digits. */
#define TOLERANCE 1e-3

typedef enum format { FORMAT_TEXT, FORMAT_MARKDOWN, FORMAT_JSON } format;

typedef struct settings {
    const char *network;
    int batch, threads, rounds, pass; /* batch 0: the network's own; pass N_PASSES: all */
    format format;
    bool cpu_time;
} settings;

typedef struct row {
    const layer *layer;
    pass pass;
    int batch;
    bool is_linear;
    double fovea, dnnl; /* seconds; dnnl 0: oneDNN has no such layer */
    double flops, floor, peak, ratio;
    char dnnl_name[64];
} row;

static const char *const pass_names[N_PASSES] = {"forward", "data", "weights"};

/* ---- one row ---------------------------------------------------------------------------------------- */

typedef struct side {
    void (*run)(void *state);
    void *state;
} side;

static double seconds_of(side s, int repeats)
{
    const double start = bench_seconds();
    for (int i = 0; i < repeats; i++)
        s.run(s.state);
    return (bench_seconds() - start) / repeats;
}

static int repeats_for(side s)
{
    s.run(s.state);
    const double once = seconds_of(s, 1);
    return once < TURN_SECONDS ? (int)ceil(TURN_SECONDS / once) : 1;
}

static double turn(side s, int repeats)
{
    pause_ms(PAUSE_MS);
    const double start = bench_seconds();
    do
        s.run(s.state);
    while (bench_seconds() - start < WARM_SECONDS);
    return seconds_of(s, repeats);
}

static float *random_values(size_t n, uint32_t stream)
{
    float *const values = malloc(n * sizeof *values);
    if (!values)
        die("out of memory");
    fv_rng rng = fv__rng(0, FV_STREAM_CHECK, stream, 0);
    for (size_t i = 0; i < n; i++)
        values[i] = 2 * (float)fv__rng_uniform(&rng) - 1;
    return values;
}

static void check_agreement(const problem *p, fovea_side *ours, dnnl_side *theirs)
{
    const size_t n = problem_count(p, pass_result(p->pass));
    float *const a = random_values(n, 8), *const b = random_values(n, 9);
    fovea_side_run(ours);
    dnnl_side_run(theirs);
    fovea_side_read(ours, p, a);
    dnnl_side_read(theirs, p, b);
    double largest = 0, error = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)b[i]));
        error = fmax(error, fabs((double)a[i] - (double)b[i]));
    }
    free(a);
    free(b);
    if (!(error <= TOLERANCE * largest))
        die("%s %s %s: Fovea and oneDNN (%s) differ by %g, where the largest value is %g", p->layer->network,
            p->layer->text, pass_names[p->pass], dnnl_side_name(theirs), error, largest);
}

/* NULL if oneDNN has no variant. */
static dnnl_side *fastest_variant(const problem *p, fovea_side *ours)
{
    dnnl_side *best = NULL;
    double best_seconds = 0;
    for (int v = 0; v < DNNL_SIDE_VARIANTS; v++) {
        dnnl_side *const made = dnnl_side_create(p, v);
        if (!made)
            continue;
        check_agreement(p, ours, made);
        const side s = {dnnl_side_run, made};
        const int repeats = repeats_for(s);
        double seconds[3];
        for (int i = 0; i < 3; i++)
            seconds[i] = seconds_of(s, repeats);
        const double typical = median(seconds, 3);
        const bool better = !best || typical < best_seconds;
        dnnl_side_destroy(better ? best : made);
        best_seconds = better ? typical : best_seconds;
        best = better ? made : best;
    }
    if (!best && p->geometry.kind != LAYER_OTHER)
        die("oneDNN has no primitive for %s of %s", p->layer->text, p->layer->network);
    return best;
}

static void take_turns(fv_context *ctx, const problem *p, side ours, const side *theirs, int rounds, row *r)
{
    const int our_repeats = repeats_for(ours), their_repeats = theirs ? repeats_for(*theirs) : 0;
    double fovea[MAX_ROUNDS], dnnl[MAX_ROUNDS], peak[MAX_ROUNDS], ratio[MAX_ROUNDS], least[MAX_ROUNDS];
    double bytes = 0;
    for (operand_id k = 0; k < N_OPERANDS; k++)
        bytes += 4.0 * (double)problem_count(p, k);
    for (int i = 0; i < rounds; i++) {
        fovea[i] = turn(ours, our_repeats);
        dnnl[i] = theirs ? turn(*theirs, their_repeats) : 0;
        pause_ms(PAUSE_MS);
        peak[i] = measure_peak(ctx);
        ratio[i] = dnnl[i] / fovea[i];
        least[i] = fmax(r->flops / peak[i], bytes / measure_bandwidth(ctx, bytes));
    }
    r->fovea = median(fovea, rounds);
    r->dnnl = median(dnnl, rounds);
    r->peak = median(peak, rounds);
    r->ratio = median(ratio, rounds);
    r->floor = median(least, rounds);
}

static row measure(fv_context *ctx, const layer *l, pass which, int batch, int rounds)
{
    problem p = {.layer = l, .pass = which, .batch = batch};
    layer_read(ctx, l, &p.geometry);
    for (operand_id k = 0; k < N_OPERANDS; k++)
        p.value[k] = random_values(problem_count(&p, k), k);
    fovea_side *const ours = fovea_side_create(ctx, &p);
    dnnl_side *const theirs = fastest_variant(&p, ours);
    const side a = {fovea_side_run, ours}, b = {dnnl_side_run, theirs};
    row r = {.layer = l,
             .pass = which,
             .batch = batch,
             .is_linear = p.geometry.kind == LAYER_LINEAR,
             .flops = batch * p.geometry.flops};
    take_turns(ctx, &p, a, theirs ? &b : NULL, rounds, &r);
    snprintf(r.dnnl_name, sizeof r.dnnl_name, "%s", theirs ? dnnl_side_name(theirs) : "-");
    fovea_side_destroy(ours);
    dnnl_side_destroy(theirs);
    for (operand_id k = 0; k < N_OPERANDS; k++)
        free(p.value[k]);
    return r;
}

/* ---- printing ----------------------------------------------------------------------------------------- */

static void print_header(const settings *o)
{
    if (o->format == FORMAT_MARKDOWN)
        puts("| network | input | layer | pass | Fovea GFLOP/s | of peak | of floor | oneDNN GFLOP/s | ratio "
             "| "
             "its kernel |\n|---|---|---|---|---:|---:|---:|---:|---:|---|");
    else if (o->format == FORMAT_TEXT)
        printf("%-11s %-18s %-42s %-8s %8s %8s %8s %8s %6s  %s\n", "network", "input", "layer", "pass",
               "fovea", "of peak", "of floor", "oneDNN", "ratio", "oneDNN's kernel");
}

static void print_row(const settings *o, const row *r)
{
    const double ours = r->flops / r->fovea, theirs = r->dnnl > 0 ? r->flops / r->dnnl : 0;
    static const char *const formats[] = {
        "%-11s %-18s %-42s %-8s %8.1f %7.0f%% %7.0f%% %8.1f %6.2f  %s\n",
        "| %s | %s | %s | %s | %.1f | %.0f%% | %.0f%% | %.1f | %.2f | %s |\n"};
    if (o->format != FORMAT_JSON)
        printf(formats[o->format], r->layer->network, r->layer->input, r->layer->text, pass_names[r->pass],
               ours * 1e-9, 100 * ours / r->peak, 100 * r->floor / r->fovea, theirs * 1e-9, r->ratio,
               r->dnnl_name);
    else
        printf("{\"event\":\"layer\",\"network\":\"%s\",\"input\":\"%s\",\"layer\":\"%s\",\"pass\":\"%s\","
               "\"kind\":\"%s\",\"count\":%d,\"batch\":%d,\"threads\":%d,\"fovea_gflops\":%.4g,"
               "\"peak_gflops\":%.4g,\"peak_share\":%.4g,\"floor_us\":%.5g,\"onednn_gflops\":%.4g,"
               "\"ratio\":%.4g,\"fovea_us\":%.5g,\"onednn_us\":%.5g,\"onednn_kernel\":\"%s\"}\n",
               r->layer->network, r->layer->input, r->layer->text, pass_names[r->pass],
               r->is_linear ? "linear" : "conv", r->layer->count, r->batch, o->threads, ours * 1e-9,
               r->peak * 1e-9, ours / r->peak, r->floor * 1e6, theirs * 1e-9, r->ratio, r->fovea * 1e6,
               r->dnnl * 1e6, r->dnnl_name);
    fflush(stdout);
}

/* For one network, kind and pass: the median and the least ratio, and the ratio of the times of all its
 * layers, each counted as often as the network has it. */
static void print_summary(const settings *o, const row *rows, int n_rows, pass which, bool conv)
{
    double ratios[MAX_ROWS], fovea = 0, dnnl = 0;
    int n = 0;
    for (int i = 0; i < n_rows; i++) {
        if (rows[i].pass != which || rows[i].is_linear == conv || rows[i].dnnl == 0)
            continue;
        ratios[n++] = rows[i].ratio;
        fovea += rows[i].layer->count * rows[i].fovea;
        dnnl += rows[i].layer->count * rows[i].dnnl;
    }
    if (n == 0)
        return;
    const double middle = median(ratios, n); /* sorts, so that the least comes first */
    static const char *const formats[] = {
        "= %-12s %-6s %-8s %2d shapes: ratio median %.2f, least %.2f, of all layers' time %.2f\n",
        "| **%s** | %s | %s | %d shapes | | median %.2f | **least %.2f** | of all layers' time %.2f |\n",
        ("{\"event\":\"summary\",\"network\":\"%s\",\"kind\":\"%s\",\"pass\":\"%s\",\"shapes\":%d,"
         "\"median_ratio\":%.4g,\"least_ratio\":%.4g,\"time_ratio\":%.4g}\n")};
    printf(formats[o->format], rows[0].layer->network, conv ? "conv" : "linear", pass_names[which], n, middle,
           ratios[0], dnnl / fovea);
}

/* ---- the program ------------------------------------------------------------------------------------ */

static int default_batch(const char *network)
{
    if (strcmp(network, "resnet50") == 0 || strcmp(network, "mobilenet") == 0 ||
        strcmp(network, "videos") == 0)
        return 16;
    return strcmp(network, "mlp") == 0 || strcmp(network, "lenet5-relu") == 0 ? 128 : 64;
}

static void bench_network(fv_context *ctx, const settings *o, const layer *first)
{
    row rows[N_PASSES * MAX_ROWS];
    int n = 0;
    for (const layer *l = first; l->network && strcmp(l->network, first->network) == 0; l++)
        for (pass p = 0; p < N_PASSES; p++) {
            if ((o->pass != N_PASSES && o->pass != (int)p) || (p == PASS_DATA && l->is_first))
                continue;
            rows[n] = measure(ctx, l, p, o->batch ? o->batch : default_batch(l->network), o->rounds);
            print_row(o, &rows[n++]);
        }
    for (int conv = 1; conv >= 0; conv--)
        for (pass p = 0; p < N_PASSES; p++)
            print_summary(o, rows, n, p, conv);
}

static const char usage[] =
    "usage: bench_layers [OPTIONS]\n"
    "Times the layers of known networks beside oneDNN; ratios above 1: Fovea is faster.\n\n"
    "  --network NAME  lenet5-relu, mlp, vgg8, resnet18, resnet50, vit, mobilenet, signals, videos, "
    "dilated,\n"
    "                  transposed, local or borders; all where left out\n"
    "  --batch N       images; where left out, 128 for lenet5-relu and mlp, 16 for resnet50, mobilenet and\n"
    "                  videos, else 64\n"
    "  --threads N     of both sides (2)\n"
    "  --rounds N      turns of each side; their medians count (7)\n"
    "  --pass NAME     forward, data or weights; all where left out\n"
    "  --cpu-time      count this process's time on one core, not the clock's: where others use the machine\n"
    "  --markdown      print tables for a document\n"
    "  --json          print one JSON object a line\n";

static int pass_option(const char *text)
{
    for (int p = 0; p < N_PASSES; p++)
        if (strcmp(text, pass_names[p]) == 0)
            return p;
    die("--pass: expected forward, data or weights, found '%s'", text);
}

static const char *network_option(const char *text)
{
    for (const layer *l = layer_table; l->network; l++)
        if (strcmp(l->network, text) == 0)
            return l->network;
    die("--network: no table of '%s'; see --help", text);
}

static settings read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"network", required_argument, NULL, 'n'}, {"batch", required_argument, NULL, 'b'},
        {"threads", required_argument, NULL, 't'}, {"rounds", required_argument, NULL, 'r'},
        {"pass", required_argument, NULL, 'p'},    {"markdown", no_argument, NULL, 'm'},
        {"json", no_argument, NULL, 'j'},          {"cpu-time", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    settings o = {.threads = 2, .rounds = 7, .pass = N_PASSES};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'n':
            o.network = network_option(optarg);
            break;
        case 'b':
            o.batch = whole_option("batch", optarg, 1, 512);
            break;
        case 't':
            o.threads = whole_option("threads", optarg, 1, 1024);
            break;
        case 'r':
            o.rounds = whole_option("rounds", optarg, 1, MAX_ROUNDS);
            break;
        case 'p':
            o.pass = pass_option(optarg);
            break;
        case 'm':
            o.format = FORMAT_MARKDOWN;
            break;
        case 'j':
            o.format = FORMAT_JSON;
            break;
        case 'c':
            o.cpu_time = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    if (optind < argc)
        die("expected options alone, found '%s'", argv[optind]);
    if (o.cpu_time && o.threads != 1)
        die("--cpu-time: expected --threads 1, found %d", o.threads);
    return o;
}

/* OpenMP's threads wait for each other by spinning: if other processes take a core, a wait takes
 * milliseconds. */
static void warn_of_load(void)
{
    double load;
    if (getloadavg(&load, 1) == 1 && load > 0.5)
        fprintf(stderr, "bench: others use this machine (load %.1f): oneDNN's figures suffer most\n", load);
}

int main(int argc, char **argv)
{
    const settings o = read_options(argc, argv);
    if (o.cpu_time)
        bench_use_cpu_time();
    else
        warn_of_load();
    fv_context *const ctx = open_context(o.threads);
    dnnl_side_start(o.threads);
    const double peak = measure_peak(ctx);
    if (o.format == FORMAT_JSON)
        printf("{\"event\":\"machine\",\"isa\":\"%s\",\"threads\":%d,\"peak_gflops\":%.4g,"
               "\"onednn\":\"%s\",\"rounds\":%d}\n",
               fv_context_isa(ctx), o.threads, peak * 1e-9, dnnl_side_version(), o.rounds);
    else
        printf("%s, %d threads, peak %.0f GFLOP/s, oneDNN %s, medians of %d turns\n\n", fv_context_isa(ctx),
               o.threads, peak * 1e-9, dnnl_side_version(), o.rounds);
    print_header(&o);
    for (const layer *l = layer_table; l->network; l++)
        if ((l == layer_table || strcmp(l->network, l[-1].network) != 0) &&
            (!o.network || strcmp(l->network, o.network) == 0))
            bench_network(ctx, &o, l);
    fv_context_destroy(ctx);
    return 0;
}
