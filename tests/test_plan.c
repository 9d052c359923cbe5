/* test_plan.c - plans, checked by someone who did not make them (plan_checker.c); and the checker itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ops/inference.h"
#include "plan_checker.h"
#include "planning.h"

static void check_plan(const fv_graph *graph, fv_plan_options options, const char *model, const char *kind)
{
    char where[256];
    snprintf(where, sizeof where, "%.40s, %s, batch %d, %d workers", model, kind, options.batch,
             options.n_workers);
    fv_plan *plan = plan_of(graph, options);
    assert_int_equal(plan_mistakes(plan, where), 0);
    fv__plan_destroy(plan);
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
                o.keep = true;
                check_plan(&training, o, model_at(i), "training, kept");
                o.keep = false;
                o.unfused = true;
                check_plan(&training, o, model_at(i), "training, unfused");
                o.unfused = false;
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
                o.c16 = true;
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

/* The first step that makes something again. */
static fv_step *made_again(fv_plan *plan)
{
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->buffers[plan->steps[s].spec.operand[0]].remade >= 0)
            return &plan->steps[s];
    fail_msg("nothing is made again");
    return NULL;
}

static void make_of_another(fv_plan *plan)
{
    fv_step *again = made_again(plan);
    again->spec.operand[1] = plan->graph->feed[0].tensor;
}

static void make_otherwise(fv_plan *plan)
{
    made_again(plan)->spec.kernel = FV_KERNEL_maxpool;
}

static void call_it_another(fv_plan *plan)
{
    plan->buffers[made_again(plan)->spec.operand[0]].remade = plan->graph->result[0];
}

/* The step after it reads the value of the forward pass. */
static void read_the_first(fv_plan *plan)
{
    const int again = made_again(plan)->spec.operand[0];
    for (fv_step *s = made_again(plan) + 1; s < plan->steps + plan->n_steps; s++)
        for (int k = 1; k < s->spec.n_operands; k++)
            if (s->spec.operand[k] == again)
                s->spec.operand[k] = plan->buffers[again].remade;
}

static void fuse_the_wrong(fv_plan *plan)
{
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].spec.kernel == FV_KERNEL_batchnorm && plan->steps[s].spec.n_operands == 6)
            plan->steps[s].spec.operand[5] = plan->graph->result[0];
}

/* Each of these is a mistake that a pass could make. */
static void the_checker_sees(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        void (*spoil)(fv_plan *plan);
        bool norms; /* in a network with batch normalisation and branches */
    } mistakes[] = {
        {"move_local", move_local, false},           {"shrink_stride", shrink_stride, false},
        {"stack_gradients", stack_gradients, false}, {"shrink_arena", shrink_arena, false},
        {"rotate_steps", rotate_steps, false},       {"join_phases", join_phases, false},
        {"share_too_early", share_too_early, false}, {"split_shards", split_shards, false},
        {"make_of_another", make_of_another, true},  {"make_otherwise", make_otherwise, true},
        {"call_it_another", call_it_another, true},  {"read_the_first", read_the_first, true},
        {"fuse_the_wrong", fuse_the_wrong, true},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        fv_model *m = training_model(ctx, mistakes[i].norms ? more_models[2] : "lenet5-relu");
        fv_graph graph;
        training_graph(m, &graph);
        fv_plan *plan =
            plan_of(&graph, (fv_plan_options){.batch = 400, .n_workers = 2, .loss = true, .updates = true});
        assert_int_equal(plan_mistakes(plan, mistakes[i].what), 0);
        mistakes[i].spoil(plan);
        if (plan_mistakes(plan, NULL) == 0)
            fail_msg("%s was not seen", mistakes[i].what);
        fv__plan_destroy(plan);
        fv__graph_deinit(&graph);
        fv_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placements),
        cmocka_unit_test(the_checker_sees),
    };
    return cmocka_run_group_tests(tests, planning_setup, planning_teardown);
}
