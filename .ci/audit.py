"""Known vulnerabilities of constraints.txt, by pip-audit: `make audit`. Exit code 1 where there are some.

An index that knows no vulnerabilities answers as one where there are none: packages that were not
looked up are counted, and where none was the audit is skipped and says why.
"""

import json
import subprocess
import sys

COMMAND = (
    *("uvx", "--quiet", "pip-audit", "--requirement", "constraints.txt"),
    *("--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"),
)


def judged(output: str, error: str) -> tuple[str, int]:
    """The lines for a person, and the exit code, of what pip-audit printed."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        reason = (error.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return f"audit: skipped, {reason}", 0
    skipped = [each for each in packages if "skip_reason" in each]
    found = [
        f"{each['name']} {each['version']}: {fault['id']}, mended in"
        f" {', '.join(fault['fix_versions']) or 'no version yet'}"
        for each in packages
        for fault in each.get("vulns", [])
    ]
    if len(skipped) == len(packages):
        return (
            f"audit: skipped, no database is reachable ({skipped[0]['skip_reason']})",
            0,
        )
    n_audited = len(packages) - len(skipped)
    said = f"audit: {len(found)} vulnerabilities in {n_audited} packages"
    said += f", {len(skipped)} could not be looked up" if skipped else ""
    return "\n".join([*found, said]), int(bool(found))


if __name__ == "__main__":
    done = subprocess.run(COMMAND, capture_output=True, text=True)
    said, code = judged(done.stdout, done.stderr)
    print(said)
    sys.exit(code)
