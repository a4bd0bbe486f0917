"""What ariadne-codegen is to do differently for us."""

import ast

from ariadne_codegen.plugins.base import Plugin
from graphql import GraphQLEnumType, OperationDefinitionNode

ERRORS = ("EntitledError", "UnavailableError")


class EntitledPlugin(Plugin):
    """Opens enums to values of a newer service, documents methods, closes what was live, and exports the errors."""

    def generate_enum(self, class_def: ast.ClassDef, enum_type: GraphQLEnumType) -> ast.ClassDef:
        class_def.bases = [ast.Name("OpenEnum")]
        if enum_type.description:
            class_def.body.insert(0, ast.Expr(ast.Constant(enum_type.description)))
        return class_def

    def generate_enums_module(self, module: ast.Module) -> ast.Module:
        module.body[:1] = [ast.ImportFrom("base_model", [ast.alias("OpenEnum")], 1)]
        return module

    def generate_client_method(
        self, method_def: ast.FunctionDef | ast.AsyncFunctionDef, operation_definition: OperationDefinitionNode
    ) -> ast.FunctionDef | ast.AsyncFunctionDef:
        root, name = self.schema.get_root_type(operation_definition.operation), operation_definition.name
        if root and name:
            method_def.body.insert(0, ast.Expr(ast.Constant(root.fields[name.value].description)))
        return method_def

    def generate_client_module(self, module: ast.Module) -> ast.Module:
        module.body.insert(0, ast.parse("from contextlib import aclosing").body[0])
        return ast.fix_missing_locations(_Closing().visit(module))

    def generate_client_code(self, generated_code: str) -> str:
        return generated_code.replace("AsyncIterator", "AsyncGenerator")  # which has aclose

    def generate_init_module(self, module: ast.Module) -> ast.Module:
        module.body.insert(0, ast.ImportFrom("errors", [ast.alias(name) for name in ERRORS], 1))
        for statement in module.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.List):  # __all__
                statement.value.elts.extend(ast.Constant(name) for name in ERRORS)
        return module


class _Closing(ast.NodeTransformer):
    """Lets who stops following close the socket at once, not when the garbage is next collected."""

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AsyncWith:
        pushed = ast.Name("pushed")
        opened = ast.withitem(ast.Call(ast.Name("aclosing"), [node.iter], []), pushed)
        node.iter = pushed
        return ast.AsyncWith([opened], [node])
