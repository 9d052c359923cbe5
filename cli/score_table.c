/* score_table.c - the table of errors per class. */
#include <math.h>
#include <stdio.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

static double error_of(const fv_class_score *c)
{
    return c->n ? (double)c->n_wrong / c->n : 0;
}

/* For a model whose target is no class number. */
static void print_distances(const fv_score *score)
{
    printf("  mean absolute error %.6g, mean squared error %.6g, loss %.4f\n", score->absolute_error,
           score->squared_error, score->loss);
}

void cli_print_score(const fv_score *score, const fv_class_score *per_class, const fv_model *model)
{
    if (score->n_classes == 0) {
        print_distances(score);
        return;
    }
    char spare[16], grouped[32];
    double worst = 0;
    int widest = 5;
    for (int i = 0; i < score->n_classes; i++) {
        const int width = cli_columns_of(cli_class_name(model, i, spare));
        widest = width > widest ? width : widest;
        if (error_of(&per_class[i]) > worst)
            worst = error_of(&per_class[i]);
    }
    cli_table table;
    const cli_column columns[] = {{"class", widest, 5, 0, false},
                                  {"images", 7, 0, 2, false},
                                  {"wrong", 7, 0, 1, false},
                                  {"error", 7, 0, 0, false},
                                  {"", 20, 6, 3, true}};
    cli_table_begin(&table, columns, 5);
    cli_table_titles(&table);
    for (int i = 0; i < score->n_classes; i++) {
        const fv_class_score *c = &per_class[i];
        cli_table_cell(&table, CLI_INK_PLAIN, "%s", cli_class_name(model, i, spare));
        cli_table_cell(&table, CLI_INK_PLAIN, "%s", cli_grouped(c->n, grouped));
        cli_table_cell(&table, CLI_INK_PLAIN, "%s", cli_grouped(c->n_wrong, grouped));
        if (c->n) {
            cli_table_cell(&table, CLI_INK_PLAIN, "%.2f%%", 100 * error_of(c));
            cli_table_bar(&table, worst > 0 ? error_of(c) / worst : 0);
        } else {
            cli_table_cell(&table, CLI_INK_PLAIN, "-");
        }
        cli_table_end(&table);
    }
    cli_table_cell(&table, CLI_INK_PLAIN, "all");
    cli_table_cell(&table, CLI_INK_PLAIN, "%s", cli_grouped(score->n, grouped));
    cli_table_cell(&table, CLI_INK_PLAIN, "%s", cli_grouped(score->n_wrong, grouped));
    cli_table_cell(&table, CLI_INK_BOLD, "%.2f%%", 100 * score->error);
    cli_table_end(&table);
    printf("  loss %.4f", score->loss);
    if (!isnan(score->top5_error))
        printf("\n  right class not among five %.2f%%", 100 * score->top5_error);
    putchar('\n');
}
