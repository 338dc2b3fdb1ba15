"""Parsed templates are rewritten so that loops, slices, calls, comparisons and includes go through the environment."""

from __future__ import annotations

from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer


class Guiding(NodeTransformer):
    """Rewrites the nodes of a parsed template into calls of its environment."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        chars = sum(len(part.data) for part in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.iter = _asking("looped", cast(nodes.Expr, node.iter), nodes.Const(chars), _names(node.target))
        return node

    def visit_Assign(self, node: nodes.Assign) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.target, nodes.Tuple):
            node.node = _asking("unpacked", cast(nodes.Expr, node.node), _names(node.target))
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.node, nodes.Getattr):
            node.node = _asking("method", node.node.node, nodes.Const(node.node.attr))
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        bounds = (node.arg.start, node.arg.stop, node.arg.step)
        return _asking("sliced", node.node, *(nodes.Const(None) if each is None else each for each in bounds))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        rest = [part for operand in node.ops for part in (nodes.Const(operand.op), operand.expr)]
        return _asking("compared", node.expr, *rest)

    def visit_Mul(self, node: nodes.Mul) -> nodes.Node:
        self.generic_visit(node)
        is_own = any(isinstance(part, nodes.List | nodes.Tuple) or _is_text(part) for part in (node.left, node.right))
        return _asking("repeated", node.left, node.right) if is_own else node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _asking("joined", *node.nodes)

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        self.generic_visit(node)
        node.template = _asking("included", node.template)
        return node

    visit_Extends = visit_Import = visit_FromImport = visit_Include


def _is_text(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _names(target: nodes.Node) -> nodes.Const:
    return nodes.Const(len(target.items) if isinstance(target, nodes.Tuple) else 0)


def _asking(what: str, *args: nodes.Expr) -> nodes.Call:
    line = args[0].lineno if args else 1
    return nodes.Call(nodes.EnvironmentAttribute(what, lineno=line), list(args), [], None, None, lineno=line)
