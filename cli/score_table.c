/* score_table.c - the table of errors per class. */
#include <stdio.h>

#include "commands.h"
#include "output.h"
#include "terminal.h"

void cli_print_score(const fv_score *score, const fv_data *data, const cli_record *record)
{
    char spare[16], grouped[2][32];
    double worst = 0;
    for (int i = 0; i < score->n_classes; i++) {
        const fv_class_score *c = &score->per_class[i];
        if (c->n && (double)c->n_wrong / c->n > worst)
            worst = (double)c->n_wrong / c->n;
    }
    printf("  class   images    wrong    error\n");
    for (int i = 0; i < score->n_classes; i++) {
        const fv_class_score *c = &score->per_class[i];
        const double error = c->n ? (double)c->n_wrong / c->n : 0;
        printf("  %5s %8s %8s ", cli_class_name(data, record, i, spare), cli_grouped(c->n, grouped[0]),
               cli_grouped(c->n_wrong, grouped[1]));
        if (c->n)
            printf("%7.2f%%  ", 100 * error);
        else
            printf("       -  ");
        cli_bar(stdout, worst > 0 ? error / worst : 0, 20);
        putchar('\n');
    }
    printf("    all %8s %8s ", cli_grouped(score->n, grouped[0]), cli_grouped(score->n_wrong, grouped[1]));
    cli_print_inked(stdout, CLI_INK_BOLD, "%7.2f%%", 100 * score->error);
    printf("  loss %.4f\n", score->loss);
}
