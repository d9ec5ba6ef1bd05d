"""How docs/results.md tells what the wire carries beside frames."""

from collections.abc import Mapping


def of_answers(of: Mapping[str, float]) -> str:
    """The claim of `answered_bytes`."""
    return (
        f"The header that says which frame an answer is about is {of['header_bytes_single']:.0f} of the "
        f"{of['wire_bytes_single']:.0f} bytes that a frame of its own costs both ways, HTTP included, and "
        f"{of['header_bytes_batch32']:.1f} of {of['wire_bytes_batch32']:.0f} in batches of 32."
    )


def of_probes(of: Mapping[str, float]) -> str:
    """The claim of `probe_bytes`."""
    return (
        f"A camera that sends one picture in 200 with the tables before, too, exchanges "
        f"{of['added_percent_single']:.2f} % more bytes where frames go one by one, whole HTTP messages both ways, "
        f"{of['added_percent_batch32']:.2f} % more where frames and probes go in batches of 32, and "
        f"{of['added_percent_batch32_alone']:.1f} % more where frames go in such batches and each probe alone."
    )


def of_frames(of: Mapping[str, float]) -> str:
    """The claim of `wire_bytes`."""
    return (
        f"In batches of 16 a frame costs {of['beyond_scan_batch16_http1']:.1f} bytes beside its scan over HTTP/1.1 and "
        f"{of['beyond_scan_batch16_http2']:.1f} over HTTP/2, and alone {of['beyond_scan_single_http1']:.0f} and "
        f"{of['beyond_scan_single_http2']:.0f}: all headers both ways, without TLS records."
    )


def frames_table(of: Mapping[str, float]) -> str:
    """A row a way, a column a kind of request."""
    lines = [
        "| bytes a frame beside its scan, both ways | alone | in batches of 16 | of TLS, besides: alone | in batches |",
        "|---|---:|---:|---:|---:|",
    ]
    for way, words in (("http1", "HTTP/1.1"), ("http2", "**HTTP/2**, through nginx")):
        beyond = [of[f"beyond_scan_single_{way}"], of[f"beyond_scan_batch16_{way}"]]
        tls = [of[f"tls_bytes_single_{way}"], of[f"tls_bytes_batch16_{way}"]]
        cells = [f"{beyond[0]:.0f}", f"{beyond[1]:.1f}", *(f"{each:.1f}" if each else "" for each in tls)]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
