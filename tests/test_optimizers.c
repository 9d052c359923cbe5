/* test_optimizers.c - the optimisers: their trajectories against PyTorch's, their text, training with each of
 * them, and updates of several steps, which are ordered as all other steps are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "feeding.h"
#include "plan_checker.h"
#include "planning.h"
#include "train/train.h"

#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- trajectories ----------------------------------------------------------------------------------- */

enum { N_PARAMETERS = 4, N_UPDATES = 6 };

/* Where p = 0.5, -1, 2, 0.25 is after six updates by torch 1.13 in double, of lr 0.125 and weight decay
 * 0.0625; momentum 0.75 where there is one. The gradient of value i in update t (from 1) is
 * ((t (i + 3)) mod 7 - 3) / 4. */
typedef struct trajectory {
    const char *text;
    double end[N_PARAMETERS];
} trajectory;

static const trajectory trajectories[] = {
    {"sgd", {0.188419057729, -1.06505224578, 1.51912785899, -0.220732418801}},
    {"nesterov", {0.159262278529, -1.09590404366, 1.46580802967, -0.187657160587}},
    {"adam", {0.0997092248045, -1.09863480476, 1.55300964183, -0.266488086037}},
    {"adamw", {0.227751830665, -1.13877132511, 1.58613915467, -0.268728429784}},
    {"adam:beta1=0.5,beta2=0.75,eps=0.001",
     {0.161389583915, -1.13633587611, 1.61648283247, -0.0467312730146}},
    {"adamw:eps=1e-3,beta2=.75,beta1=.5", {0.281595348034, -1.16651691117, 1.6512612109, -0.050515665122}},
};
enum { N_TRAJECTORIES = sizeof trajectories / sizeof *trajectories };

static double slope(int update, int i)
{
    return (update * (i + 3) % 7 - 3) / 4.0;
}

/* The same by the reference and by a kernel. */
typedef struct walker {
    double p[N_PARAMETERS], g[N_PARAMETERS], set[FV_MAX_SETTINGS], state[FV_MAX_STATES][N_PARAMETERS];
    float p_float[N_PARAMETERS], g_float[N_PARAMETERS], set_float[FV_MAX_SETTINGS];
    float state_float[FV_MAX_STATES][N_PARAMETERS];
} walker;

static void step_reference(walker *w, const fv_optimizer *row)
{
    const fv_update_attrs attrs = {.decays = 1};
    const fv_ref r = {.attrs = &attrs,
                      .in = {w->p, w->g, w->set, w->state[0], w->state[1]},
                      .changed = {w->p, NULL, NULL, w->state[0], w->state[1]},
                      .out_shape = FV_SHAPE(N_PARAMETERS)};
    row->update->ref(&r);
}

static void step_kernel(walker *w, const fv_kernels *kernels, const char *op)
{
    const fv_update_args args = {.decays = true};
    const fv_call call = {.args = &args,
                          .p = {w->p_float, w->g_float, w->set_float, w->state_float[0], w->state_float[1]},
                          .end = N_PARAMETERS,
                          .n_blocks = 1};
    for (int k = 0; k < FV_N_KERNELS; k++) /* of the operation's name */
        if (strcmp(fv__kernel_name((fv_kernel_id)k), op) == 0)
            kernels->run[k](&call);
}

/* Tolerance: settings are floats, each off by 6e-8 of itself, and six updates add up to 1. The kernel rounds
 * every operation, so it may be off by some times as much. */
static void as_pytorch(void **state)
{
    (void)state;
    static const double begin[N_PARAMETERS] = {0.5, -1, 2, 0.25};
    for (int k = 0; k < N_TRAJECTORIES; k++) {
        fv_optimizer_choice choice;
        walker w = {{0}};
        assert_well(ctx, fv__optimizer_read(ctx, trajectories[k].text, &choice));
        for (int i = 0; i < N_PARAMETERS; i++)
            w.p_float[i] = (float)(w.p[i] = begin[i]);
        for (int update = 1; update <= N_UPDATES; update++) {
            const fv_rates rates = {.lr = 0.125, .momentum = 0.75, .weight_decay = 0.0625, .update = update};
            fv__optimizer_settings(&choice, &rates, w.set_float);
            for (int s = 0; s < FV_MAX_SETTINGS; s++)
                w.set[s] = (double)w.set_float[s];
            for (int i = 0; i < N_PARAMETERS; i++)
                w.g_float[i] = (float)(w.g[i] = slope(update, i));
            step_reference(&w, choice.row);
            step_kernel(&w, fv__kernels(ctx->isa), choice.row->update->name);
        }
        for (int i = 0; i < N_PARAMETERS; i++) {
            const double expected = trajectories[k].end[i];
            if (!(fabs(w.p[i] - expected) < 5e-7 && fabs((double)w.p_float[i] - expected) < 2e-6))
                fail_msg("%s: value %d: expected %.10g, found %.10g by the reference, %.10g by the kernel",
                         trajectories[k].text, i, expected, w.p[i], (double)w.p_float[i]);
        }
    }
}

/* ---- text ------------------------------------------------------------------------------------------- */

static void text(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"sgd", "sgd"},
        {"adam:beta1=0.9", "adam"},
        {"adam:beta2=.99", "adam:beta2=0.99"},
        {"adamw:eps=1e-4,beta1=0", "adamw:beta1=0,eps=0.0001"},
    };
    static const char *const wrong[][2] = {
        {"adamm", "optimizer: expected sgd, nesterov, adam or adamw, found 'adamm'; nearest is 'adam'"},
        {"", "optimizer: expected sgd, nesterov, adam or adamw, found ''"},
        {"adam:", "optimizer: adam: expected WORD=NUMBER, found ''"},
        {"adam:beta1=0.5,", "optimizer: adam: expected WORD=NUMBER, found ''"},
        {"adam:beta3=1", "optimizer: adam: expected beta1, beta2 or eps, found 'beta3'; nearest is 'beta1'"},
        {"adam:beta1=1", "optimizer: adam: beta1: expected 0 to 0.999999, found '1'"},
        {"adam:beta1=nan", "optimizer: adam: beta1: expected 0 to 0.999999, found 'nan'"},
        {"adam:beta1=0.5,beta1=0.6", "optimizer: adam: beta1 was given twice"},
        {"sgd:beta1=0.5", "optimizer: sgd takes no words, found 'beta1'"},
    };
    fv_optimizer_choice choice;
    char shown[FV_OPTIMIZER_TEXT], is_long[FV_OPTIMIZER_TEXT + 8];
    for (size_t i = 0; i < COUNT(same); i++) {
        assert_well(ctx, fv__optimizer_read(ctx, same[i][0], &choice));
        fv__optimizer_show(&choice, shown);
        assert_string_equal(shown, same[i][1]);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(fv__optimizer_read(ctx, wrong[i][0], &choice), FV_ERR_ARGUMENT);
        assert_string_equal(fv_message(ctx), wrong[i][1]);
    }
    memset(is_long, 'a', sizeof is_long - 1);
    is_long[sizeof is_long - 1] = '\0';
    assert_int_equal(fv__optimizer_read(ctx, is_long, &choice), FV_ERR_ARGUMENT);
    assert_string_equal(fv_message(ctx), "optimizer: expected a text of fewer than 160 bytes, found 167");
}

/* The longest text of every row fits: all its words, at values of 17 digits. */
static void longest_texts_fit(void **state)
{
    (void)state;
    for (int i = 0; fv__optimizer_at(i); i++) {
        fv_optimizer_choice choice = {.row = fv__optimizer_at(i)}, again;
        char shown[FV_OPTIMIZER_TEXT];
        for (int k = 0; k < choice.row->n_words; k++)
            choice.word[k] = choice.row->words[k].max * (1.0 / 3);
        fv__optimizer_show(&choice, shown);
        assert_well(ctx, fv__optimizer_read(ctx, shown, &again));
        for (int k = 0; k < choice.row->n_words; k++)
            assert_true(again.word[k] == choice.word[k]);
    }
}

/* ---- the table of options ----------------------------------------------------------------------------- */

/* Each default is within its range, each row is a member of its own, and the help names each optimiser. */
static void options_table(void **state)
{
    (void)state;
    const fv_train_options o = fv_train_options_default();
    const fv_train_option *row;
    bool named = false;
    assert_well(ctx, fv_train_options_check(ctx, &o));
    for (int i = 0; (row = fv_train_option_at(i)) != NULL; i++) {
        assert_true(row->word && row->help && row->argument && row->min <= row->initial);
        assert_true(row->initial <= row->max);
        assert_true((row->type == FV_OPTION_CHOICE) == (row->choices != NULL));
        assert_true(!row->may_grow || row->type == FV_OPTION_COUNT);
        for (int k = 0; k < i; k++)
            assert_true(fv_train_option_at(k)->offset != row->offset);
        for (int k = 0; strcmp(row->word, "optimizer") == 0 && fv__optimizer_at(k); k++) {
            named = true;
            if (!strstr(row->help, fv__optimizer_at(k)->name))
                fail_msg("the help of --optimizer does not name %s", fv__optimizer_at(k)->name);
        }
    }
    assert_true(named);
}

/* ---- updates of several steps ------------------------------------------------------------------------ */

/* sgd in two steps: the gradient is copied, then the copy is read. */
static fv_status lower_in_two(fv_lower *l)
{
    int copy;
    const int64_t n = fv__shape_count(l->out_shape);
    const fv_shard_sum_args sum = {.floats = n, .slices = 1};
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_BATCH, n, &copy));
    const fv_step_spec first = {.kernel = FV_KERNEL_shard_sum,
                                .domain = FV_PER_RANGE,
                                .args = fv__lower_args(l, &sum, sizeof sum),
                                .n_operands = 2,
                                .operand = {copy, l->in[1]},
                                .access = {FV_WRITE, FV_READ},
                                .units = n,
                                .grain = 64};
    FV_TRY(fv__lower_step(l, &first));
    l->in[1] = copy;
    return fv_op_sgd.lower(l);
}

enum { N_IMAGES = 40, TINY_VALUES = 36 };

/* Two updates of a network by `plan`; `out`: its parameters and momentum, 2 m->n_values of them. */
static void run_updates(fv_model *m, const fv_plan *plan, float *out)
{
    static float pixels[N_IMAGES][TINY_VALUES];
    const float *images[N_IMAGES];
    float settings[] = {[FV_SGD_RATE] = 0.05f, [FV_SGD_MOMENTUM] = 0.9f, [FV_SGD_DECAY] = 0.001f};
    int labels[N_IMAGES];
    fv_run *run = NULL;
    for (int i = 0; i < N_IMAGES; i++) {
        images[i] = pixels[i];
        labels[i] = i % 3;
        for (int k = 0; k < TINY_VALUES; k++)
            pixels[i][k] = (float)((i * 5 + k * 3) % 11) / 11;
    }
    assert_well(ctx, fv_model_initialise(m, 3));
    assert_well(ctx, fv__run_create(ctx, plan, &run));
    fv__bind_model(run, m);
    for (size_t k = 0; k < plan->graph->n_nodes; k++) {
        const fv_node *const node = &plan->graph->nodes[k];
        if (node->op->changes) {
            const size_t at = m->params[fv__model_param_of(m, node->input[0])].offset;
            fv__run_bind(run, node->input[2], settings);
            fv__run_bind(run, node->input[3], out + m->n_values + at);
        }
    }
    for (uint32_t step = 0; step < 2; step++) {
        const fv_batch batch = {
            .n = N_IMAGES, .feed = FEEDS(images, labels), .step = step, .image_weight = 1.0f / N_IMAGES};
        assert_well(ctx, fv__run_step(run, &batch, true));
    }
    memcpy(out, fv__model_values(m, 0), m->n_values * sizeof *out);
    fv__run_destroy(run);
}

static int count_late_updates(const fv_plan *plan)
{
    int n = 0, first = plan->n_phases;
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].stage == FV_STAGE_UPDATE && plan->steps[s].phase < first)
            first = plan->steps[s].phase;
    for (size_t s = 0; s < plan->n_steps; s++)
        n += plan->steps[s].phase > first;
    return n;
}

/* The second step of each update stands in a later phase than the first, and the bits are those of one step.
 * In one phase they would race: the plan checker sees it. */
static void updates_are_ordered(void **state)
{
    (void)state;
    fv_model *const m = training_model(ctx, TRAINING_TINY);
    fv_op in_two_steps = fv_op_sgd;
    float *out[2];
    in_two_steps.lower = lower_in_two;
    for (int in_two = 0; in_two < 2; in_two++) {
        fv_graph graph;
        training_graph(m, &graph);
        for (size_t k = 0; k < graph.n_nodes && in_two; k++)
            if (graph.nodes[k].op == &fv_op_sgd)
                graph.nodes[k].op = &in_two_steps;
        fv_plan *const plan = plan_of(
            &graph, (fv_plan_options){.batch = N_IMAGES, .n_workers = 2, .loss = true, .updates = true});
        assert_int_equal(plan_mistakes(plan, "updates"), 0);
        assert_int_equal(count_late_updates(plan), in_two ? m->n_learned : 0);
        out[in_two] = calloc(2 * m->n_values, sizeof *out[in_two]);
        assert_non_null(out[in_two]);
        run_updates(m, plan, out[in_two]);
        if (in_two) {
            fv_phase *const before = &plan->phases[plan->n_phases - 2];
            for (size_t s = 0; s < plan->n_steps; s++)
                plan->steps[s].phase -= plan->steps[s].phase == plan->n_phases - 1;
            before->n_steps += before[1].n_steps;
            plan->n_phases--;
            assert_true(plan_mistakes(plan, NULL) > 0);
        }
        fv__plan_destroy(plan);
        fv__graph_deinit(&graph);
    }
    assert_memory_equal(out[0], out[1], 2 * m->n_values * sizeof *out[0]);
    free(out[0]);
    free(out[1]);
    fv_model_destroy(m);
}

/* ---- training --------------------------------------------------------------------------------------- */

static bool stop_after_some(void *user, const fv_progress *progress)
{
    int *const n_left = user;
    return progress->event != FV_EVENT_STEP || --*n_left > 0;
}

/* Each optimiser learns a hundred digits; stopped every few steps and resumed, it ends at the same bits. */
static void learns_and_resumes(void **state)
{
    static const char *const texts[] = {"sgd", "nesterov", "adam", "adamw:beta2=0.99"};
    scratch *const s = *state;
    fv_data *const data = training_digits(s->ctx, FV_SPLIT_TRAIN, 100);
    for (size_t i = 0; i < COUNT(texts); i++) {
        fv_model *const whole = training_model(s->ctx, "mlp");
        fv_model *parts = training_model(s->ctx, "mlp");
        fv_train_options o = training_options(10, 32, strncmp(texts[i], "adam", 4) == 0 ? 0.002 : 0.02);
        fv_score score;
        o.optimizer = texts[i];
        o.weight_decay = 0.001;
        o.schedule = FV_SCHEDULE_CONSTANT;
        assert_well(s->ctx, fv_train(whole, data, NULL, &o, NULL, NULL));
        assert_well(s->ctx, fv_evaluate(whole, data, &score));
        if (score.error > 0.05)
            fail_msg("%s: an error of %g on what it was trained on", texts[i], score.error);

        int n_left = 2;
        o.out = scratch_path(s, texts[i]);
        fv_status status = fv_train(parts, data, NULL, &o, stop_after_some, &n_left);
        for (int part = 0; status == FV_STOPPED && part < 10; part++) {
            fv_train_options read;
            fv_model_destroy(parts);
            assert_well(s->ctx, fv_train_open_run(s->ctx, o.out, false, &parts, &read));
            assert_string_equal(read.optimizer, texts[i]);
            n_left = 7;
            status = fv_train(parts, data, NULL, &read, stop_after_some, &n_left);
        }
        assert_well(s->ctx, status);
        assert_true(fv_model_hash(parts) == fv_model_hash(whole));
        fv_model_destroy(parts);
        fv_model_destroy(whole);
    }
    fv_data_destroy(data);
}

int main(void)
{
#define PLANNING(name) cmocka_unit_test_setup_teardown(name, planning_setup, planning_teardown)
    const struct CMUnitTest tests[] = {
        PLANNING(as_pytorch),
        PLANNING(text),
        PLANNING(longest_texts_fit),
        PLANNING(options_table),
        PLANNING(updates_are_ordered),
        cmocka_unit_test_setup_teardown(learns_and_resumes, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
