"""The table: titles, units, goals, and what was met."""
import json
import statistics

# Title, metric, unit, digits, goals. A goal is (text, rule): the rule is given
# median(metric, system) and answers true, false, or None where it cannot tell.


def ratio(metric, bound, at_least, peer="etcd", other=None):
    def rule(median):
        ours, theirs = median(metric, "conclave"), median(other or metric, peer)
        if ours is None or not theirs:
            return None
        return ours / theirs >= bound if at_least else ours / theirs <= bound
    word = "at least" if at_least else "at most"
    return "%s %gx %s" % (word, bound, peer), rule


def at_most(metric, bound, text):
    def rule(median):
        ours = median(metric, "conclave")
        return None if ours is None else ours <= bound
    return text, rule


def against(metric, other, bound, text):
    """Ours against another row of ours."""
    def rule(median):
        a, b = median(metric, "conclave"), median(other, "conclave")
        return None if a is None or not b else a / b <= bound
    return text, rule


KIB = 1024


def layout():
    rows = []

    def row(title, metric, unit, digits, *goals, peer="etcd"):
        rows.append((title, metric, unit, digits, peer, goals))
    for n in (1, 16, 64, 256):
        m = "write.%d" % n
        goals = {1: (), 16: ()}.get(n, (ratio(m + ".rate", 2.5, True),))
        row("writes, %d clients" % n, m + ".rate", "/s", 0, *goals)
        row("  p50", m + ".p50", "ms", 2, *([ratio(m + ".p50", 0.5, False)] if n == 1 else []))
        row("  p99", m + ".p99", "ms", 2, *([ratio(m + ".p99", 0.5, False)] if n == 64 else []))
        row("  server CPU per write", m + ".cpu", "us", 0,
            *([ratio(m + ".cpu", 0.3, False)] if n == 64 else []))
    m = "read.stale.rate"
    row("stale read of the roots, 64 conns", m, "/s", 0, ratio(m, 3, True))
    row("  beside a file served by nginx", m, "/s", 0, ratio(m, 1, True, "nginx"), peer="nginx")
    row("  server CPU per read", "read.stale.cpu", "us", 1)
    row("default read of the roots", "read.default.rate", "/s", 0)
    m = "read.consistent"
    row("consistent read of the roots", m + ".rate", "/s", 0, ratio(m + ".rate", 5, True))
    row("  p99", m + ".p99", "ms", 2)
    row("  server CPU per read", m + ".cpu", "us", 1)
    row("consistent read at a follower", "read.follower.rate", "/s", 0)
    row("stale read of one document", "read.document.rate", "/s", 0)
    for n in ("100", "1000"):
        row(n + " watchers, first told", "watch.%s.first" % n, "ms", 2)
        row("  p99 told", "watch.%s.p99" % n, "ms", 2)
        row("  last told", "watch.%s.last" % n, "ms", 2)
    m = "watch.10000"
    row("{big} watchers, first told", m + ".first", "ms", 2)
    row("  p99 told", m + ".p99", "ms", 2)
    row("  last told", m + ".last", "ms", 2, ratio(m + ".last", 0.7, False))
    row("  lost, or rounds incomplete", m + ".incomplete", "", 0,
        at_most(m + ".incomplete", 0, "none"))
    row("  elections", m + ".elections", "", 0, at_most(m + ".elections", 0, "none"))
    row("  loop turns over 20 ms", m + ".stalls", "", 0, at_most(m + ".stalls", 0, "none"))
    row("  memory per watcher", m + ".bytes", "B", 0, at_most(m + ".bytes", 2 * KIB, "2 KiB"))
    row("  growth over rounds, per watcher", m + ".growth", "B", 0,
        at_most(m + ".growth", 64, "none (64 B)"))
    row("1000 watchers on the leader, last told", "watch.leader.last", "ms", 2)
    row("1000 on one follower, last told", "watch.follower.last", "ms", 2,
        against("watch.follower.last", "watch.leader.last", 1.15, "as on the leader (1.15x)"))
    row("{big} watchers, CA rotated, first told", "watch.roots.first", "ms", 2)
    row("  last told", "watch.roots.last", "ms", 2)
    m = "watch.tls"
    row("{tls} watchers over TLS, last told", m + ".last", "ms", 2)
    row("  lost, or rounds incomplete", m + ".incomplete", "", 0,
        at_most(m + ".incomplete", 0, "none"))
    row("  loop turns over 20 ms", m + ".stalls", "", 0, at_most(m + ".stalls", 0, "none"))
    row("  memory per watcher", m + ".bytes", "B", 0, at_most(m + ".bytes", 18 * KIB, "18 KiB"))
    row("  growth over rounds, per watcher", m + ".growth", "B", 0,
        at_most(m + ".growth", 512, "none (512 B)"))
    row("leader killed to next write", "failover", "s", 3, ratio("failover", 0.5, False))
    row("  beside etcd at our time-outs", "failover", "s", 3,
        ratio("failover", 1, False, "etcd500"), peer="etcd500")
    row("three empty servers to first write and CA", "start", "s", 3, ratio("start", 0.5, False))
    row("idle memory per server", "idle.rss", "MB", 1, at_most("idle.rss", 10, "10 MB"))
    row("idle CPU per server", "idle.cpu", "%", 2)
    return rows


def number(value, digits):
    return "{:,.{}f}".format(value, digits)


def cells(table, settings):
    """One list of seven texts per row that has anything to say."""
    out, verdicts = [], []
    for title, metric, unit, digits, peer, goals in layout():
        ours, theirs = table.median(metric, "conclave"), table.median(metric, peer)
        why = table.why.get((metric, "conclave"))
        if ours is None and theirs is None and not why:
            continue
        title = title.format(big=number(settings.watchers, 0), tls=number(settings.tls_watchers, 0))
        if peer == "nginx" and theirs is None:
            continue
        verdict = "; ".join(judge(goal, table, verdicts, title) for goal in goals)
        out.append([title + (", " + unit if unit else ""),
                    number(ours, digits) if ours is not None else why or "-",
                    spread(table, metric, "conclave"),
                    number(theirs, digits) if theirs is not None
                    else table.why.get((metric, peer), "-"),
                    spread(table, metric, peer),
                    "%.2f" % (ours / theirs) if ours is not None and theirs else "-",
                    verdict or "-"])
    return out, verdicts


def judge(goal, table, verdicts, title):
    text, rule = goal
    met = rule(table.median)
    verdicts.append({"row": title.strip(), "goal": text, "met": met})
    return "%s: %s" % (text, {True: "met", False: "MISSED", None: "not judged"}[met])


def spread(table, metric, system):
    """Half the range of the samples in percent of their median."""
    values = table.samples.get(metric, {}).get(system, [])
    middle = statistics.median(values) if values else 0
    if len(values) < 2 or not middle:
        return ""
    return "%.0f%%" % ((max(values) - min(values)) / 2 / middle * 100)


HEAD = ["row", "conclave", "+-", "peer", "+-", "ratio", "goal"]


def facts(about, settings, table):
    """What must stand beside the numbers, one sentence a line."""
    others = sorted(n["others"] for n in table.noise) or [0]
    steal = max((n["steal"] for n in table.noise), default=0)
    return [
        "commit %(commit)s, %(date)s" % about,
        "%(cpu)s, %(cores)d cores, %(memory_gib)s GiB, Linux %(kernel)s, %(system)s" % about,
        "disk: %(disk)s, a durable 4 KiB write takes %(disk_sync_4k_us)s us (median)" % about,
        "peers: " + (", ".join(about["peers"]) or "none (PEER=etcd runs etcd and nginx beside ours)"),
        "%d repetitions of %g s, turn about; medians; +- is half the range of the samples"
        % (settings.repeats, settings.seconds),
        "servers and load generator share the machine; CPU taken by others (interrupts and "
        "kernel threads included) meanwhile: median %.0f%%, worst %.0f%% of all cores; stolen "
        "by the hypervisor: at most %.0f%%; load average before %.1f"
        % (statistics.median(others) * 100, others[-1] * 100, steal * 100,
           about["load_average"][0]),
    ] + ["remark: " + r for r in table.remarks]


def text_table(rows):
    rows = [HEAD] + rows
    width = [max(len(r[i]) for r in rows) for i in range(len(HEAD))]
    lines = []
    for k, r in enumerate(rows):
        cols = [r[0].ljust(width[0])] + [r[i].rjust(width[i]) for i in range(1, 6)] + [r[6]]
        lines.append("  ".join(cols).rstrip())
        if k == 0:
            lines.append("  ".join("-" * w for w in width))
    return "\n".join(lines)


def markdown(rows, sentences):
    lines = ["- " + s for s in sentences] + ["", "| " + " | ".join(HEAD) + " |",
                                             "|---|--:|--:|--:|--:|--:|---|"]
    for r in rows:
        title = r[0].replace("  ", "&nbsp;&nbsp;", 1) if r[0].startswith("  ") else r[0]
        lines.append("| " + " | ".join([title] + r[1:]) + " |")
    return "\n".join(lines) + "\n"


def write(directory, table, about, settings):
    """Print the table and leave results.json and results.md. True unless a row
    of ours could not be measured."""
    rows, verdicts = cells(table, settings)
    sentences = facts(about, settings, table)
    print("\n".join(sentences) + "\n\n" + text_table(rows))
    judged = [v for v in verdicts if v["met"] is not None]
    if judged:
        print("\n%d of %d goals met" % (sum(v["met"] for v in judged), len(judged)))
    with open(directory + "/results.json", "w", encoding="utf-8") as f:
        json.dump({"machine": about, "samples": table.samples, "noise": table.noise,
                   "remarks": table.remarks, "goals": verdicts,
                   "missing": ["%s %s: %s" % (*k, v) for k, v in table.why.items()]}, f, indent=1)
    with open(directory + "/results.md", "w", encoding="utf-8") as f:
        f.write(markdown(rows, sentences))
    print("written: %s/results.json, %s/results.md" % (directory, directory))
    return not any(system == "conclave" for _, system in table.why)
