/* graph_rules.h - what appending and verifying share. For this folder only. */
#ifndef FV_GRAPH_GRAPH_RULES_H
#define FV_GRAPH_GRAPH_RULES_H

#include "graph/op.h"

/* May a tensor of role `found` stand where an operation asks for `expected`? */
bool fv__role_fits(fv_role expected, fv_role found);
/* May a tensor of role `role` belong to one of role `owner`? A gradient belongs to a parameter, a state to a
 * parameter or to a statistic. */
bool fv__role_owns(fv_role owner, fv_role role);
const char *fv__role_name(fv_role role);
/* Asks the operation for its output's shape; the node's inputs are ids in range. */
fv_status fv__node_shape(const fv_graph *graph, const fv_node *node, fv_shape *out);

#endif
