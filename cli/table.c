/* table.c - tables that fit the terminal: as few columns as possible are left out, so that the others have
 * their least width; the remaining width goes to the columns in order of importance. */
#include "layout.h"

#include <stdarg.h>
#include <string.h>

static int least_of(const cli_column *column)
{
    return column->least ? column->least : column->width;
}

static int total(const cli_table *table)
{
    int sum = 0;
    for (int i = 0; i < table->n; i++)
        sum += table->width[i] ? 2 + table->width[i] : 0;
    return sum;
}

static void fit(cli_table *table, int room)
{
    for (int i = 0; i < table->n; i++)
        table->width[i] = least_of(&table->column[i]);
    for (int rank = CLI_TABLE_COLUMNS; rank > 0; rank--)
        for (int i = 0; i < table->n && total(table) > room; i++)
            if (table->column[i].rank == rank)
                table->width[i] = 0;
    for (int rank = 0; rank <= CLI_TABLE_COLUMNS; rank++) {
        for (int i = 0; i < table->n; i++) {
            const int spare = room - total(table), more = table->column[i].width - table->width[i];
            if (table->column[i].rank == rank && table->width[i] && spare > 0)
                table->width[i] += spare < more ? spare : more;
        }
    }
}

void cli_table_begin(cli_table *table, const cli_column *columns, int n)
{
    *table = (cli_table){.n = n, .fitted = cli_has_width(stdout)};
    memcpy(table->column, columns, (size_t)n * sizeof *columns);
    for (int i = 0; i < n; i++)
        table->width[i] = columns[i].width;
    if (table->fitted)
        fit(table, cli_width(stdout));
}

/* Blanks are printed before the next cell, so that no line ends in them. Returns the cell's width. */
static int next(cli_table *table, const cli_column **column)
{
    *column = &table->column[table->at];
    const int width = table->width[table->at++];
    table->owed += width ? 2 : 0;
    return width;
}

static void blanks(cli_table *table, int more)
{
    printf("%*s", table->owed + more, "");
    table->owed = 0;
}

void cli_table_cell(cli_table *table, cli_ink ink, const char *format, ...)
{
    char text[512], word[sizeof text];
    const cli_column *column;
    const int width = next(table, &column);
    if (!width)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_shorten(text, table->fitted && column->left ? width : (int)sizeof text, word, sizeof word);
    const int over = width - cli_columns_of(word), pad = over > 0 ? over : 0;
    if (*word) {
        blanks(table, column->left ? 0 : pad);
        cli_print_inked(stdout, ink, "%s", word);
        table->owed = column->left ? pad : 0;
    } else {
        table->owed += width;
    }
}

void cli_table_titles(cli_table *table)
{
    for (int i = 0; i < table->n; i++)
        cli_table_cell(table, CLI_INK_FAINT, "%s", table->column[i].title);
    cli_table_end(table);
}

void cli_table_bar(cli_table *table, double share)
{
    const cli_column *column;
    const int width = next(table, &column);
    if (!width)
        return;
    blanks(table, 0);
    cli_bar(stdout, share, width);
}

void cli_table_end(cli_table *table)
{
    table->at = table->owed = 0;
    putchar('\n');
}
