"""Roles: whoever has one may do all that those below it may."""

from itertools import product

from cloud_server.operators.roles import Role


def test_each_role_may_act_as_itself_and_as_those_before_it() -> None:
    order = [Role.VIEWER, Role.TRAINER, Role.OPERATOR, Role.APPROVER, Role.ADMIN]
    allowed = {(has, needed) for has, needed in product(Role, Role) if has.may_act_as(needed)}
    assert allowed == {
        (has, needed) for has, needed in product(order, order) if order.index(has) >= order.index(needed)
    }
