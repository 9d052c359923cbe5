/* plan_checker.c - see plan_checker.h. Lives and orders are worked out again from the steps alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "plan_checker.h"

#include "graph/op.h"

#include <stdlib.h>

static const char *where; /* NULL: nothing is printed */
static int n_wrong;

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition) && n_wrong++ < 10 && where) {                                                       \
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

/* The tensor that is held, in lanes or in c16; -1: a buffer of the plan's own. */
static int tensor_of(const fv_plan *plan, int b)
{
    for (int t = 0; t < (int)plan->graph->n_tensors; t++)
        if (t == b || (plan->in_c16 && plan->in_c16[t] == b))
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
        b = b == t ? node->input[0] : plan->in_c16[node->input[0]];
    }
    return b;
}

/* The same, also for what is recomputed. */
static int meaning_of(const fv_plan *plan, int b)
{
    b = value_of(plan, b);
    return plan->buffers[b].remade >= 0 ? value_of(plan, plan->buffers[b].remade) : b;
}

static bool reads(const fv_step_spec *s, int k)
{
    return s->access[k] == FV_READ;
}

static const char *step_name(const fv_plan *plan, int s)
{
    return plan->steps[s].node ? plan->steps[s].node->name : "input";
}

/* Whether a step of this node may read tensor t: an input of it, or of a node that is fused in front of it,
 * whose own output no step makes. */
static bool may_read(const fv_plan *plan, const fv_node *node, int t)
{
    for (int i = 0; i < node->n_inputs; i++) {
        const int input = value_of(plan, node->input[i]), source = plan->graph->tensors[input].source;
        if (input == t || node->input[i] == t)
            return true;
        if (source >= 0 && !is_written(plan, input) && may_read(plan, &plan->graph->nodes[source], t))
            return true;
    }
    return false;
}

/* The node whose output a step makes, or helps to make: the last of those that are fused. */
static const fv_node *node_of(const fv_plan *plan, const fv_step *step)
{
    const int out = meaning_of(plan, step->spec.operand[0]);
    const int source = out < (int)plan->graph->n_tensors ? plan->graph->tensors[out].source : -1;
    return source >= 0 ? &plan->graph->nodes[source] : step->node;
}

/* Steps read what their nodes say. A recomputed value is computed as it was at first, from the same inputs.
 */
static void check_operands(const fv_plan *plan)
{
    for (int s = 0; s < (int)plan->n_steps; s++) {
        const fv_step *step = &plan->steps[s], *first = NULL;
        const int out = step->spec.operand[0], value = meaning_of(plan, out);
        for (int k = 1; k < step->spec.n_operands && step->node && !plan->in_c16; k++) {
            const int t = meaning_of(plan, step->spec.operand[k]);
            if (reads(&step->spec, k) && t < (int)plan->graph->n_tensors)
                CHECK(may_read(plan, node_of(plan, step), t), "step %s reads %s", step_name(plan, s),
                      plan->buffers[t].name);
        }
        if (plan->buffers[out].remade < 0)
            continue;
        for (int f = 0; f < s && !first; f++)
            first = value_of(plan, plan->steps[f].spec.operand[0]) == value ? &plan->steps[f] : NULL;
        CHECK(first != NULL, "step %s makes again what was not there", step_name(plan, s));
        if (!first)
            continue;
        CHECK(first->spec.kernel == step->spec.kernel && first->spec.args == step->spec.args &&
                  first->spec.relu == step->spec.relu && first->spec.n_operands == step->spec.n_operands &&
                  first->node == step->node,
              "step %s makes it in another way", step_name(plan, s));
        for (int k = 1; k < step->spec.n_operands; k++)
            CHECK(meaning_of(plan, first->spec.operand[k]) == meaning_of(plan, step->spec.operand[k]) &&
                      reads(&step->spec, k),
                  "step %s makes it of something else", step_name(plan, s));
    }
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
            const bool update = step->node && step->node->op->changes;
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
                          (fv__graph_is_result(plan->graph, t) && plan->options.output) ||
                          (fv__graph_is_loss(plan->graph, t) && plan->options.loss);
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
    int first, last; /* steps */
    int first_phase, last_phase;
    int64_t begin, end; /* floats */
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
             fv__graph_is_result(plan->graph, t) || fv__graph_is_loss(plan->graph, t))) {
            l.first = l.first_phase = -1;
            l.last = (int)plan->n_steps;
            l.last_phase = plan->n_phases;
        }
    const bool prepared = l.first >= 0 && plan->steps[l.first].stage == FV_STAGE_PREPARE;
    if (plan->options.frozen && prepared && plan->steps[l.last].stage != FV_STAGE_PREPARE) {
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
    else if (b->scope == FV_SCOPE_C16)
        floats += stride * (b->bundles - 1);
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

int plan_mistakes(const fv_plan *plan, const char *name)
{
    where = name;
    n_wrong = 0;
    check_phases(plan);
    check_operands(plan);
    check_values(plan);
    check_concurrency(plan);
    check_memory(plan);
    return n_wrong;
}
