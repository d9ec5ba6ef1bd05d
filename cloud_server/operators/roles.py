"""What an operator may do: a role, each of which may do all that those before it may."""

from enum import StrEnum


class Role(StrEnum):
    """Roles, in order: whoever has one has those above it in this list, too."""

    VIEWER = "viewer"
    """Looks: bundles, devices, reports; not at pictures."""
    TRAINER = "trainer"
    """Also looks at kept frames, labels them, publishes, leaves rollouts as drafts, and tells of its trainings."""
    OPERATOR = "operator"
    """Also lets devices in and keeps them out, and says what they run."""
    APPROVER = "approver"
    """Also takes in what was signed for others: roots, and metadata that is signed anew."""
    ADMIN = "admin"
    """Also makes operators and tokens, and forgets devices."""

    def may_act_as(self, needed: "Role") -> bool:
        """Whether whoever has this role may do what needs that one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
