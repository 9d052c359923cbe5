/* graph_rules.h - rules that appending and verifying share. Private to this folder. */
#ifndef FV_GRAPH_GRAPH_RULES_H
#define FV_GRAPH_GRAPH_RULES_H

#include "graph/op.h"

/* Whether a tensor of role `found` is valid where an operation expects `expected`. */
bool fv__role_fits(fv_role expected, fv_role found);
/* Whether a tensor of role `role` may belong to one of role `owner`. A gradient belongs to a parameter, a
 * state to a parameter or to a statistic. */
bool fv__role_owns(fv_role owner, fv_role role);
const char *fv__role_name(fv_role role);
/* Infers the shape of the node's output; the node's inputs must be ids in range. */
fv_status fv__node_shape(const fv_graph *graph, const fv_node *node, fv_shape *out);

#endif
