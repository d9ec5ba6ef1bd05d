"""Fleet and bandwidth: what frames cost on the wire, and which devices run what."""

from deploy.grafana.panels import FAMILY, OF_VERSION, VERSION, Dashboard, Look, Panel, Query, Row, Unit, one

FLEET = Dashboard(
    "fleet",
    "Fleet and bandwidth",
    "What frames cost on the wire by version of the tables, and which devices run what.",
    (
        Row(
            "Bytes",
            (
                Panel(
                    "Bytes a frame",
                    "All that a frame costs on the wire, both ways, by version: scan, tables, markers and HTTP.",
                    "dctwire_payload_bytes_total",
                    one(f"tables:dctwire_frame_bytes:rate1h{{{VERSION}}}", OF_VERSION),
                    Unit.BYTES,
                ),
                Panel(
                    "Bytes a frame from the device, by part",
                    "Where they go. HTTP shrinks with larger batches; tables are 0 where they stay at home.",
                    "dctwire_payload_bytes_total",
                    one(f"tables_part:dctwire_frame_bytes:rate1h{{{VERSION}}}", OF_VERSION + " {{part}}"),
                    Unit.BYTES,
                    Look.STACK,
                ),
                Panel(
                    "Saving on ordinary JPEG",
                    "Against the ordinary JPEGs that devices of the same family post; no data where none does.",
                    "dctwire_payload_bytes_total",
                    one(f"tables:dctwire_saving_on_posted:ratio_rate1h{{{VERSION}}}", OF_VERSION),
                    Unit.SHARE,
                ),
                Panel(
                    "Saving on ordinary JPEG, estimated",
                    "Of the last day, without HTTP: against what ordinary JPEG of the same pictures would have cost, "
                    "as is found out for one frame in a thousand.",
                    "dctwire_baseline_bytes_total",
                    one(f"tables:dctwire_saving_estimated:ratio_rate1d{{{VERSION}}}", OF_VERSION),
                    Unit.SHARE,
                ),
                Panel(
                    "Bytes of the same frames, as they came and as ordinary JPEG",
                    "What the estimated saving is made of: a frame's bytes over the last day, without HTTP.",
                    "dctwire_baseline_payload_bytes_total",
                    tuple(
                        Query(
                            f"sum by (family, tables) (rate({metric}{{{VERSION}}}[1d]))"
                            f" / sum by (family, tables) (rate(dctwire_baseline_frames_total{{{VERSION}}}[1d]))",
                            f"{OF_VERSION} {name}",
                        )
                        for metric, name in (
                            ("dctwire_baseline_payload_bytes_total", "as it came"),
                            ("dctwire_baseline_bytes_total", "as ordinary JPEG"),
                        )
                    ),
                    Unit.BYTES,
                ),
                Panel(
                    "Frames that the estimated saving rests on",
                    "Of the last day; below some hundreds it wavers.",
                    "dctwire_baseline_frames_total",
                    one(
                        f"sum by (family, tables) (increase(dctwire_baseline_frames_total{{{VERSION}}}[1d]))",
                        OF_VERSION,
                    ),
                    look=Look.BARS,
                ),
                Panel(
                    "Scan bytes against the trainer's",
                    "1 is what the trainer measured for the version. Far above it the field shows other pictures.",
                    "dctwire_expected_scan_bytes",
                    one(f"tables:dctwire_scan_bytes_over_expected:ratio_rate1h{{{VERSION}}}", OF_VERSION),
                    limit=1.3,
                ),
                Panel(
                    "Bytes of the last day",
                    "Of answered frames, both ways, by family.",
                    "dctwire_payload_bytes_total",
                    one(f"sum by (family) (increase(dctwire_payload_bytes_total{{{FAMILY}}}[1d]))", "{{family}}"),
                    Unit.BYTES,
                    Look.BARS,
                ),
                Panel(
                    "Bytes a second by route",
                    "Every byte on the device plane's sockets, refused ones too.",
                    "dctwire_wire_bytes_total",
                    one("route:dctwire_wire_bytes:rate5m", "{{route}} {{direction}}"),
                    Unit.BYTES_A_SECOND,
                    Look.STACK,
                ),
            ),
        ),
        Row(
            "Devices",
            (
                Panel(
                    "Devices by version of the tables",
                    "By what they sent last; those in quarantine are left out.",
                    "dctwire_devices_by_tables",
                    one(f"max by (family, tables) (dctwire_devices_by_tables{{{VERSION}}})", OF_VERSION),
                    look=Look.STACK,
                ),
                Panel(
                    "Silent devices",
                    "Not seen for longer than a day, or a week.",
                    "dctwire_devices_silent",
                    one(
                        f"max by (family, longer_than) (dctwire_devices_silent{{{FAMILY}}})",
                        "{{family}}, a {{longer_than}} and more",
                    ),
                ),
                Panel(
                    "Devices that run another version than they are told to",
                    "And are at work. They come to it by themselves, unless their updates fail.",
                    "dctwire_devices_skewed",
                    one(f"max by (family) (dctwire_devices_skewed{{{FAMILY}}})", "{{family}}"),
                ),
                Panel(
                    "Versions of the sensor's program",
                    "Of devices that told it within two days.",
                    "dctwire_devices_by_program",
                    one("max by (version) (dctwire_devices_by_program)", "{{version}}"),
                    look=Look.BARS,
                    width=6,
                ),
                Panel(
                    "What became of the last update",
                    "As devices told within two days.",
                    "dctwire_devices_by_outcome",
                    one("max by (outcome) (dctwire_devices_by_outcome)", "{{outcome}}"),
                    look=Look.BARS,
                    width=6,
                ),
                Panel(
                    "Pinned, or in quarantine",
                    "Devices that an operator holds at something.",
                    "dctwire_devices_held",
                    one(f"max by (family, kind) (dctwire_devices_held{{{FAMILY}}})", "{{family}} {{kind}}"),
                    look=Look.BARS,
                    width=6,
                ),
                Panel(
                    "To look after",
                    "Devices that take no new bundle because what is signed has expired for them, and those of whose "
                    "identity there seem to be two. Both should be 0.",
                    "dctwire_stale_devices",
                    (
                        Query("max(dctwire_stale_devices)", "expired metadata"),
                        Query("max(dctwire_suspected_clones)", "suspected clones"),
                    ),
                    look=Look.NUMBER,
                    limit=1,
                    width=6,
                ),
            ),
        ),
    ),
)
