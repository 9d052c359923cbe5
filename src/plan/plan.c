/* plan.c - creates a plan by running the passes, and prints it. */
#include "plan/plan.h"

#include "base/cpu.h"
#include "plan/passes.h"

bool fv__plan_keeps(const fv_plan *plan, int buffer)
{
    const fv_graph *const graph = plan->graph;
    if (buffer >= (int)graph->n_tensors)
        return false;
    const fv_tensor *const t = &graph->tensors[buffer];
    return plan->options.keep_all || fv__graph_is_result(graph, buffer) || fv__graph_is_loss(graph, buffer) ||
           t->role == FV_ROLE_GRADIENT ||
           ((t->role == FV_ROLE_VALUE || t->role == FV_ROLE_INPUT) && t->source < 0 &&
            fv__graph_feed_of(graph, buffer) < 0);
}

static fv_status make(fv_plan *plan, const fv_graph *graph)
{
    fv_graph *const copy = fv__alloc(plan->ctx, 1, sizeof *copy);
    if (!copy)
        return FV_ERR_MEMORY;
    plan->graph = copy;
    FV_TRY(fv__graph_copy(graph, copy));
    FV_TRY(fv__plan_lower(plan));
    FV_TRY(fv__plan_segment(plan));
    FV_TRY(fv__plan_remake(plan));
    return fv__plan_place(plan);
}

fv_status fv__plan_create(fv_context *ctx, const fv_graph *graph, const fv_plan_options *options,
                          fv_plan **out)
{
    if (options->batch < 1 || options->batch > FV_MAX_BATCH)
        return fv__fail(ctx, FV_ERR_ARGUMENT, "batch: expected 1 to %d, found %d", FV_MAX_BATCH,
                        options->batch);
    fv_plan *const plan = fv__alloc(ctx, 1, sizeof *plan);
    if (!plan)
        return FV_ERR_MEMORY;
    plan->ctx = ctx;
    plan->options = *options;
    plan->options.direct |= ctx->direct;
    plan->kernels = fv__kernels(ctx->isa);
    plan->blocks = options->blocks ? options->blocks : ctx->blocks;
    plan->max_blocks = (options->batch + FV_LANES - 1) / FV_LANES;
    plan->blocks_per_shard = (plan->max_blocks + FV_SHARDS - 1) / FV_SHARDS;
    fv__arena_init(&plan->arena, ctx);
    const fv_status status = make(plan, graph);
    if (status != FV_OK) {
        fv__plan_destroy(plan);
        return status;
    }
    *out = plan;
    return FV_OK;
}

void fv__plan_destroy(fv_plan *plan)
{
    if (!plan)
        return;
    fv_context *const ctx = plan->ctx;
    if (plan->graph) {
        fv__graph_deinit((fv_graph *)plan->graph);
        fv__free(ctx, (fv_graph *)plan->graph);
    }
    fv__free(ctx, plan->buffers);
    fv__free(ctx, plan->steps);
    fv__arena_deinit(&plan->arena);
    fv__free(ctx, plan);
}

static void print_step(const fv_plan *plan, const fv_step *step, fv_text *text)
{
    const fv_step_spec *const s = &step->spec;
    const fv_buffer *const out = &plan->buffers[s->operand[0]];
    const fv_buffer *const b = &plan->buffers[fv__plan_root(plan, s->operand[0])];
    const int value = out->remade >= 0 ? out->remade : s->operand[0];
    char shape[FV_SHAPE_TEXT] = "";
    const int tensor = plan->buffers[value].tensor;
    if (tensor >= 0)
        fv__shape_text(plan->graph->tensors[tensor].shape, shape);
    const bool per_block = s->domain == FV_PER_BLOCK;
    const double images = per_block ? plan->options.batch : 1;
    fv__text_add(text, "  %-26s %-18s %-8s %-14s %9s %10s   %s", step->node ? step->node->name : out->name,
                 fv__kernel_name(s->kernel), s->way ? s->way : "", shape,
                 fv__fixed(s->flops * images * 1e-6, 3).text,
                 fv__fixed(s->bytes * images / 1048576.0, 3).text, per_block ? "block" : "batch");
    static const char *const places[] = {"-", "model", "shared", "local"};
    fv__text_add(text, "  %s", places[b->place]);
    if (b->place == FV_PLACE_SHARED || b->place == FV_PLACE_LOCAL)
        fv__text_add(text, "+%lld", (long long)b->offset * 4);
    fv__text_add(text, "%s%s\n", out != b ? " in place" : "", out->remade >= 0 ? " again" : "");
}

static fv_number mib(int64_t floats)
{
    return fv__fixed((double)floats * 4 / 1048576, 2);
}

static fv_status print_memory(const fv_plan *plan, fv_text *text)
{
    fv_plan_memory m;
    FV_TRY(fv__plan_memory(plan, &m));
    fv__text_add(text, "memory, MiB:\n  %10s  parameters", mib(m.parameters).text);
    if (m.gradients > 0)
        fv__text_add(text, "\n  %10s  their gradients", mib(m.gradients).text);
    if (m.states > 0)
        fv__text_add(text, "\n  %10s  state of the optimizer", mib(m.states).text);
    fv__text_add(text, "\n  %10s  activations of the batch and their gradients, at most (phase %d)",
                 mib(m.activations).text, m.peak + 1);
    fv__text_add(text, "\n  %10s  work space: packed weights, sums", mib(m.work).text);
    fv__text_add(text, "\n  %10s  a thread: blocks at hand %s, scratch %s\n", mib(m.worker).text,
                 mib(plan->local_floats).text, mib(plan->scratch_floats).text);
    return FV_OK;
}

fv_status fv__plan_print(const fv_plan *plan, fv_text *text)
{
    const char *const isa = fv__isa_name(plan->kernels->isa);
    if (plan->in_c16)
        fv__text_add(text, "one image, %d channels in a vector (c16); kernels for %s\n", FV_LANES, isa);
    else
        fv__text_add(text, "batch %d: %d block%s of %d images; kernels for %s\n", plan->options.batch,
                     plan->max_blocks, plan->max_blocks == 1 ? "" : "s", FV_LANES, isa);
    fv__text_add(text, "  %-26s %-18s %-8s %-14s %9s %10s   per    memory, bytes\n", "step", "kernel", "way",
                 "shape", "MFLOP", "MiB");
    double flops = 0;
    for (int p = 0; p < plan->n_phases; p++) {
        const fv_phase *const phase = &plan->phases[p];
        fv__text_add(text, "phase %d: ", p + 1);
        if (phase->n_block_steps > 0)
            fv__text_add(text, "%d steps depth first, %d block%s at a time, %lld KiB", phase->n_block_steps,
                         phase->group, phase->group == 1 ? "" : "s",
                         (long long)phase->local_floats * phase->group * 4 / 1024);
        if (phase->n_steps > phase->n_block_steps)
            fv__text_add(text, "%s%d over the batch", phase->n_block_steps ? "; " : "",
                         phase->n_steps - phase->n_block_steps);
        fv__text_add(text, "\n");
        for (int s = phase->first_step; s < phase->first_step + phase->n_steps; s++) {
            const fv_step *const step = &plan->steps[s];
            print_step(plan, step, text);
            flops += step->spec.flops * (step->spec.domain == FV_PER_BLOCK ? plan->options.batch : 1);
        }
    }
    fv__text_add(text, "in all %s MFLOP\n", fv__fixed(flops * 1e-6, 3).text);
    FV_TRY(print_memory(plan, text));
    return text->failed ? FV_ERR_MEMORY : FV_OK;
}
