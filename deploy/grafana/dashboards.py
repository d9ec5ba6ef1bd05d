"""Writes what Grafana shows from the modules beside this one: `make dashboards`; with --check, says what is stale."""

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.fleet import FLEET
from deploy.grafana.panels import SOURCE, Dashboard, drawn
from deploy.grafana.quality import QUALITY
from deploy.grafana.rollouts import ROLLOUTS
from deploy.grafana.serving import SERVING
from deploy.grafana.trainer import TRAINER

DASHBOARDS = (FLEET, SERVING, QUALITY, ROLLOUTS, TRAINER)
FOLDER = Path(__file__).parent / "dashboards"
TAG = "dctwire"
EVERYTHING = ".*"


def document(wanted: Dashboard) -> str:
    """A dashboard as Grafana reads it."""
    builder = (
        dashboards.Dashboard(wanted.title)
        .uid(f"{TAG}-{wanted.name}")
        .description(wanted.says)
        .tags([TAG])
        .readonly()
        .refresh("1m")
        .time("now-24h", "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(_others())
        .with_variable(dashboards.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_labels("family", "Family", "dctwire_frames_total", ""))
        .with_variable(_labels("tables", "Tables", "dctwire_frames_total", '{family=~"$family"}'))
        .with_variable(
            dashboards.TextBoxVariable("docs")
            .label("Docs at")
            .default_value("docs")
            .description("Where docs/ is served.")
        )
    )
    number = 1
    for row in wanted.rows:
        builder = builder.with_row(dashboards.Row(row.title).id(number))
        number += 1
        for panel in row.panels:
            builder = builder.with_panel(drawn(panel, number))
            number += 1
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def stale() -> list[Path]:
    """Which files are not what the code says, or belong to no dashboard."""
    wanted = _files()
    found = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    return found + [path for path in FOLDER.glob("*.json") if path not in wanted]


def _files() -> dict[Path, str]:
    return {FOLDER / f"{one.name}.json": document(one) for one in DASHBOARDS}


def _labels(name: str, title: str, metric: str, condition: str) -> dashboards.QueryVariable:
    """A variable with the values that a label of a metric has; all of them at first."""
    everything = dashboard.VariableOption(selected=True, text="All", value="$__all")
    return (
        dashboards.QueryVariable(name)
        .label(title)
        .datasource(SOURCE)
        .query(f"label_values({metric}{condition}, {name})")
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(EVERYTHING)
        .current(everything)
    )


def _others() -> dashboards.DashboardLink:
    """The other dashboards, beside the title, with the same variables and time."""
    return (
        dashboards.DashboardLink("dctwire")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def main(arguments: list[str]) -> int:
    """Write the files, or say which are stale."""
    if "--check" not in arguments:
        for path in stale():
            path.unlink(missing_ok=True)
        for path, text in _files().items():
            path.write_text(text)
        return 0
    for path in (found := stale()):
        sys.stdout.write(f"{path.name} is not what the code says: make dashboards\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
