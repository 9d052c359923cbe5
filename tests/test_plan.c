/* test_plan.c - plans, checked by someone who did not make them: lives and orders are worked out again from
 * the steps alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ops/inference.h"
#include "planning.h"

/* ---- the checker ------------------------------------------------------------------------------------ */

static char where[256];
static int n_wrong;
static bool quiet;

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition) && n_wrong++ < 10 && !quiet) {                                                      \
            print_error("%s: ", where);                                                                      \
            print_error(__VA_ARGS__);                                                                        \
            print_error(" (%s)\n", #condition);                                                              \
        }                                                                                                    \
    } while (0)

static int root_of(const fv_plan *plan, int b)
{
    int i = 0;
    for (; plan->buffers[b].alias != b && i < 1000; i++)
        b = plan->buffers[b].alias;
    CHECK(i < 1000, "buffer %s: its aliases go round", plan->buffers[b].name);
    return b;
}

static bool is_written(const fv_plan *plan, int b)
{
    for (size_t s = 0; s < plan->n_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++)
            if (plan->steps[s].spec.operand[k] == b && plan->steps[s].spec.access[k] != FV_READ)
                return true;
    return false;
}

/* The tensor that is held, in lanes or on planes; -1: a buffer of the plan's own. */
static int tensor_of(const fv_plan *plan, int b)
{
    for (int t = 0; t < (int)plan->graph->n_tensors; t++)
        if (t == b || (plan->on_planes && plan->on_planes[t] == b))
            return t;
    return -1;
}

/* The buffer whose value this one shows: views look through, where no step makes them. */
static int value_of(const fv_plan *plan, int b)
{
    for (int t; (t = tensor_of(plan, b)) >= 0 && plan->graph->tensors[t].source >= 0;) {
        const fv_node *node = &plan->graph->nodes[plan->graph->tensors[t].source];
        if (!node->op->is_view || is_written(plan, b))
            break;
        b = b == t ? node->input[0] : plan->on_planes[node->input[0]];
    }
    return b;
}

static bool reads(const fv_step_spec *s, int k)
{
    return s->access[k] == FV_READ;
}

static const char *step_name(const fv_plan *plan, int s)
{
    return plan->steps[s].node ? plan->steps[s].node->name : "input";
}

/* Phases follow each other, each with its per-block steps first; updates stand alone, at the end. */
static void check_phases(const fv_plan *plan)
{
    int s = 0;
    bool updating = false;
    for (int p = 0; p < plan->n_phases; p++) {
        const fv_phase *phase = &plan->phases[p];
        CHECK(phase->first_step == s && phase->n_steps > 0, "phase %d begins at step %d", p,
              phase->first_step);
        CHECK(phase->group >= 1 && phase->blocks_per_task >= 1, "phase %d: group %d", p, phase->group);
        for (int i = 0; i < phase->n_steps; i++, s++) {
            const fv_step *step = &plan->steps[s];
            const bool per_block = step->spec.domain == FV_PER_BLOCK;
            const fv_kernel_id kernel = step->spec.kernel;
            const bool update = kernel == FV_KERNEL_sgd || kernel == FV_KERNEL_batchnorm_track;
            CHECK(step->phase == p, "step %s says phase %d", step_name(plan, s), step->phase);
            CHECK(per_block == (i < phase->n_block_steps), "step %s is in the wrong part",
                  step_name(plan, s));
            CHECK(update == phase->is_update, "step %s in phase %d", step_name(plan, s), p);
            CHECK(update || !updating, "step %s comes after an update", step_name(plan, s));
            updating |= update;
            for (int k = 0; per_block && k < step->spec.n_operands; k++)
                if (plan->buffers[step->spec.operand[k]].scope == FV_SCOPE_SHARD)
                    CHECK(phase->blocks_per_task % plan->blocks_per_shard == 0,
                          "step %s: a shard is shared by tasks", step_name(plan, s));
            const int64_t floats = (int64_t)step->spec.scratch_floats;
            CHECK(plan->scratch_floats >= floats, "step %s has too little scratch", step_name(plan, s));
        }
    }
    CHECK(s == (int)plan->n_steps, "%d steps in phases", s);
    CHECK(plan->blocks_per_shard * FV_SHARDS >= plan->max_blocks, "shards of %d blocks",
          plan->blocks_per_shard);
}

/* Walks the steps in order and knows, for each piece of memory, whose value lies there. */
static void check_values(const fv_plan *plan)
{
    int *holds = malloc(plan->n_buffers * sizeof *holds);
    assert_non_null(holds);
    for (size_t b = 0; b < plan->n_buffers; b++)
        holds[b] = plan->buffers[b].place == FV_PLACE_EXTERNAL ? (int)b : -1;
    for (int s = 0; s < (int)plan->n_steps; s++) {
        const fv_step_spec *spec = &plan->steps[s].spec;
        for (int k = 0; k < spec->n_operands; k++) {
            const int b = spec->operand[k];
            CHECK(plan->buffers[root_of(plan, b)].place != FV_PLACE_NONE, "step %s: %s has no place",
                  step_name(plan, s), plan->buffers[b].name);
            if (reads(spec, k))
                CHECK(holds[root_of(plan, b)] == value_of(plan, b),
                      "step %s reads %s, where something else lies", step_name(plan, s),
                      plan->buffers[b].name);
        }
        for (int k = 0; k < spec->n_operands; k++)
            if (!reads(spec, k))
                holds[root_of(plan, spec->operand[k])] = value_of(plan, spec->operand[k]);
    }
    /* What is asked for afterwards is there. */
    for (int t = 0; t < (int)plan->graph->n_tensors; t++) {
        const bool kept = plan->graph->tensors[t].role == FV_ROLE_GRADIENT ||
                          (t == plan->graph->output && plan->options.output) ||
                          (t == plan->graph->loss && plan->options.loss);
        if (kept)
            CHECK(holds[root_of(plan, t)] == value_of(plan, t), "%s is gone at the end",
                  plan->buffers[t].name);
    }
    free(holds);
}

/* Within a phase the per-block steps of one task run in order; all else runs at any time. So a whole-batch
 * step shares memory with no other step of its phase that writes there, or where it writes. And what goes
 * from block to block must not go through a worker's own memory. */
static void check_concurrency(const fv_plan *plan)
{
    for (int a = 0; a < (int)plan->n_steps; a++)
        for (int b = a + 1; b < (int)plan->n_steps; b++) {
            const fv_step *x = &plan->steps[a], *y = &plan->steps[b];
            if (x->phase != y->phase || (x->spec.domain == FV_PER_BLOCK && y->spec.domain == FV_PER_BLOCK))
                continue;
            for (int i = 0; i < x->spec.n_operands; i++)
                for (int k = 0; k < y->spec.n_operands; k++)
                    CHECK(root_of(plan, x->spec.operand[i]) != root_of(plan, y->spec.operand[k]) ||
                              (reads(&x->spec, i) && reads(&y->spec, k)),
                          "steps %s and %s meet in %s within a phase", step_name(plan, a), step_name(plan, b),
                          plan->buffers[x->spec.operand[i]].name);
        }
    for (int s = 0; s < (int)plan->n_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++) {
            const fv_buffer *b = &plan->buffers[root_of(plan, plan->steps[s].spec.operand[k])];
            CHECK(b->place != FV_PLACE_LOCAL || plan->steps[s].spec.domain == FV_PER_BLOCK,
                  "step %s: the whole batch in a worker's memory", step_name(plan, s));
        }
}

typedef struct life {
    int first, last;               /* steps */
    int first_phase, last_phase;
    int64_t begin, end;            /* floats */
} life;

static life life_of(const fv_plan *plan, int root)
{
    const fv_buffer *b = &plan->buffers[root];
    life l = {.first = -1};
    for (int s = 0; s < (int)plan->n_steps; s++)
        for (int k = 0; k < plan->steps[s].spec.n_operands; k++)
            if (root_of(plan, plan->steps[s].spec.operand[k]) == root) {
                l.first = l.first < 0 ? s : l.first;
                l.last = s;
            }
    CHECK(l.first >= 0, "%s has a place but no step", b->name);
    if (l.first < 0)
        return l;
    l.first_phase = plan->steps[l.first].phase;
    l.last_phase = plan->steps[l.last].phase;
    for (int t = 0; t < (int)plan->graph->n_tensors; t++) /* kept for the caller, and from the last run on */
        if (root_of(plan, t) == root &&
            (plan->options.keep_all || plan->graph->tensors[t].role == FV_ROLE_GRADIENT ||
             t == plan->graph->output || t == plan->graph->loss)) {
            l.first = l.first_phase = -1;
            l.last = (int)plan->n_steps;
            l.last_phase = plan->n_phases;
        }
    const bool prepared = l.first >= 0 && plan->steps[l.first].prepares;
    if (plan->options.frozen && prepared && !plan->steps[l.last].prepares) {
        l.first = l.first_phase = -1;
        l.last = (int)plan->n_steps;
        l.last_phase = plan->n_phases;
    }
    const bool per_image = b->scope == FV_SCOPE_IMAGE || b->scope == FV_SCOPE_ROWS;
    int64_t floats = b->floats * (per_image ? FV_LANES : 1), stride = b->stride;
    if (b->place == FV_PLACE_LOCAL)
        floats += stride * (plan->phases[l.first_phase].group - 1);
    else if (per_image)
        floats += stride * (plan->max_blocks - 1);
    else if (b->scope == FV_SCOPE_SHARD)
        floats += stride * (FV_SHARDS - 1);
    else if (b->scope == FV_SCOPE_PLANES)
        floats += stride * (b->planes - 1);
    CHECK(b->scope == FV_SCOPE_BATCH || stride >= b->floats * (per_image ? FV_LANES : 1), "%s: stride %lld",
          b->name, (long long)stride);
    l.begin = b->offset;
    l.end = b->offset + floats;
    return l;
}

static void check_memory(const fv_plan *plan)
{
    life *lives = calloc(plan->n_buffers, sizeof *lives);
    assert_non_null(lives);
    for (int i = 0; i < (int)plan->n_buffers; i++) {
        const fv_buffer *b = &plan->buffers[i];
        if (root_of(plan, i) != i || (b->place != FV_PLACE_SHARED && b->place != FV_PLACE_LOCAL))
            continue;
        lives[i] = life_of(plan, i);
        const int64_t room = b->place == FV_PLACE_SHARED ? plan->shared_floats : plan->local_floats;
        CHECK(b->offset >= 0 && b->offset % 16 == 0 && b->stride % 16 == 0 && lives[i].end <= room,
              "%s: %lld..%lld of %lld", b->name, (long long)lives[i].begin, (long long)lives[i].end,
              (long long)room);
        CHECK(b->place == FV_PLACE_SHARED || lives[i].first_phase == lives[i].last_phase,
              "%s is a worker's, but crosses phases", b->name);
        for (int k = 0; k < i; k++) {
            const fv_buffer *o = &plan->buffers[k];
            const life *x = &lives[i], *y = &lives[k];
            if (o->place != b->place || root_of(plan, k) != k)
                continue;
            /* A whole-batch step of the same phase runs beside the blocks: its shared operands live all of
             * it. */
            const bool together = b->place == FV_PLACE_LOCAL
                                      ? x->first <= y->last && y->first <= x->last
                                      : x->first_phase <= y->last_phase && y->first_phase <= x->last_phase;
            CHECK(!together || x->end <= y->begin || y->end <= x->begin,
                  "%s and %s live together in the same memory", b->name, o->name);
        }
    }
    free(lives);
}

static void check_all(const fv_plan *plan)
{
    check_phases(plan);
    check_values(plan);
    check_concurrency(plan);
    check_memory(plan);
}

static void check_plan(const fv_graph *graph, fv_plan_options options, const char *model, const char *kind)
{
    snprintf(where, sizeof where, "%.40s, %s, batch %d, %d workers", model, kind, options.batch,
             options.n_workers);
    fv_plan *plan = plan_of(graph, options);
    check_all(plan);
    fv__plan_destroy(plan);
    assert_int_equal(n_wrong, 0);
}

static void placements(void **state)
{
    (void)state;
    static const int batches[] = {1, 16, 100, 512}, workers[] = {1, 2, 8};
    for (int i = 0; model_at(i); i++) {
        fv_model *m = training_model(ctx, model_at(i));
        fv_graph training, inference;
        training_graph(m, &training);
        assert_well(ctx, fv__graph_for_inference(&m->graph, &inference));
        for (int b = 0; b < 4; b++)
            for (int w = 0; w < 3; w++) {
                fv_plan_options o = {.batch = batches[b], .n_workers = workers[w]};
                o.loss = o.updates = true;
                check_plan(&training, o, model_at(i), "training");
                o.output = true;
                check_plan(&training, o, model_at(i), "training with output");
                o.keep_all = true;
                check_plan(&training, o, model_at(i), "keeping all");
                o.loss = o.updates = o.keep_all = false;
                check_plan(&inference, o, model_at(i), "inference");
                o.loss = true;
                check_plan(&inference, o, model_at(i), "evaluation");
                o.frozen = true;
                check_plan(&inference, o, model_at(i), "evaluation, frozen");
                o.planes = true;
                if (batches[b] == 1)
                    check_plan(&inference, o, model_at(i), "evaluation of one image");
            }
        fv__graph_deinit(&training);
        fv__graph_deinit(&inference);
        fv_model_destroy(m);
    }
}

/* ---- the checker, checked --------------------------------------------------------------------------- */

/* The first buffer there is at such a place, with the scope, and used by at least two steps. */
static fv_buffer *some_buffer(fv_plan *plan, fv_place place, fv_scope scope, int nth)
{
    for (size_t i = 0; i < plan->n_buffers; i++) {
        fv_buffer *b = &plan->buffers[i];
        if (b->alias == (int)i && b->place == place && b->scope == scope && nth-- == 0)
            return b;
    }
    fail_msg("no such buffer");
    return NULL;
}

static void move_local(fv_plan *plan)
{
    some_buffer(plan, FV_PLACE_LOCAL, FV_SCOPE_IMAGE, 0)->offset += 16;
}

static void shrink_stride(fv_plan *plan)
{
    some_buffer(plan, FV_PLACE_LOCAL, FV_SCOPE_IMAGE, 0)->stride -= 16;
}

static void stack_gradients(fv_plan *plan)
{
    some_buffer(plan, FV_PLACE_SHARED, FV_SCOPE_BATCH, 0)->offset =
        some_buffer(plan, FV_PLACE_SHARED, FV_SCOPE_BATCH, 1)->offset;
}

static void shrink_arena(fv_plan *plan)
{
    plan->shared_floats -= 16;
}

static void share_too_early(fv_plan *plan)
{
    fv_buffer *a = some_buffer(plan, FV_PLACE_LOCAL, FV_SCOPE_IMAGE, 0);
    some_buffer(plan, FV_PLACE_LOCAL, FV_SCOPE_IMAGE, 1)->alias = (int)(a - plan->buffers);
}

/* The first step of the longest phase becomes its last. */
static void rotate_steps(fv_plan *plan)
{
    const fv_phase *longest = plan->phases;
    for (int p = 1; p < plan->n_phases; p++)
        if (plan->phases[p].n_block_steps > longest->n_block_steps)
            longest = &plan->phases[p];
    fv_step *const steps = plan->steps + longest->first_step, first = steps[0];
    for (int s = 0; s + 1 < longest->n_block_steps; s++)
        steps[s] = steps[s + 1];
    steps[longest->n_block_steps - 1] = first;
}

static void join_phases(fv_plan *plan)
{
    for (size_t s = 0; s < plan->n_steps; s++)
        plan->steps[s].phase = 0;
}

static void split_shards(fv_plan *plan)
{
    for (int p = 0; p < plan->n_phases; p++)
        plan->phases[p].blocks_per_task = plan->blocks_per_shard + 1;
}

/* Each of these is a mistake that a pass could make. */
static void the_checker_sees(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        void (*spoil)(fv_plan *plan);
    } mistakes[] = {
        {"move_local", move_local},           {"shrink_stride", shrink_stride},
        {"stack_gradients", stack_gradients}, {"shrink_arena", shrink_arena},
        {"rotate_steps", rotate_steps},       {"join_phases", join_phases},
        {"share_too_early", share_too_early}, {"split_shards", split_shards},
    };
    fv_model *m = training_model(ctx, "lenet5-relu");
    fv_graph graph;
    training_graph(m, &graph);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        fv_plan *plan =
            plan_of(&graph, (fv_plan_options){.batch = 400, .n_workers = 2, .loss = true, .updates = true});
        n_wrong = 0;
        quiet = true;
        mistakes[i].spoil(plan);
        check_all(plan);
        quiet = false;
        if (n_wrong == 0)
            fail_msg("%s was not seen", mistakes[i].what);
        n_wrong = 0;
        fv__plan_destroy(plan);
    }
    fv__graph_deinit(&graph);
    fv_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placements),
        cmocka_unit_test(the_checker_sees),
    };
    return cmocka_run_group_tests(tests, planning_setup, planning_teardown);
}
