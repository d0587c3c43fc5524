// HTMLReportSections: the parts of the page: each a heading, a sentence, a picture and its figures.

extension HTMLReport {
  private func section(_ title: String, _ sentence: String, _ content: Markup) -> Markup {
    """
    <section>
    <h2>\(title)</h2>
    <p class="muted">\(sentence)</p>
    \(content)</section>

    """
  }

  private func legend(_ entries: [(style: String, name: String)]) -> Markup {
    let items = entries.map { style, name -> Markup in
      """
      <li><svg class="key" width="12" height="12" aria-hidden="true">\
      <circle class="\(style)" cx="6" cy="6" r="5"/></svg>\(name)</li>

      """
    }
    return "<ul class=\"legend\">\n\(items.joined())</ul>\n"
  }

  // MARK: Over time

  private func overTime(
    _ id: String, _ title: String, _ unit: ChartUnit, _ series: [TimeChart.Series]
  ) -> Markup {
    let buckets = facts.buckets
    let totals = facts.overTime.indices.map { index in
      series.reduce(0) { $0 + $1.values[index] }
    }
    let most = totals.indices.max { totals[$0] < totals[$1] } ?? 0
    let chart = TimeChart(
      frame: ChartFrame(
        id: id, title: "\(title) by \(buckets.name)",
        description: "\(span): \(unit.label(totals.reduce(0, +))) in all, at most "
          + "\(unit.label(totals[most])), in the \(buckets.name) from \(buckets.label(most))."),
      buckets: buckets, unit: unit, series: series)
    let rows = totals.indices.filter { totals[$0] > 0 }.map { index in
      ["\(buckets.label(index))"] + series.map { "\(unit.label($0.values[index]))" as Markup }
    }
    let table = MarkupTable(
      caption: "\(title) by \(buckets.name). Parts of time without any are left out.",
      columns: [.init(title: "From (UTC)", kind: .word)]
        + series.map { .init(title: $0.name.capitalizedFirst, kind: .number) }, rows: rows)
    return """
      <figure>
      \(chart.markup)\(series.count > 1 ? legend(series.map { ($0.style, $0.name) }) : "")</figure>
      <details><summary>Figures</summary>
      \(table.markup)</details>

      """
  }

  var requestsSection: Markup {
    let errors = facts.overTime.map(\.errors)
    let wholes = facts.overTime.map { $0.requests - $0.errors }
    return section(
      "Requests over time",
      "Each bar is one \(facts.buckets.name). Errors are all requests that did not end well, "
        + "those that clients cut included.",
      overTime(
        "requests", "Requests", .count,
        [
          .init(name: "errors", style: "error", values: errors),
          .init(name: "answered well", style: "ok", values: wholes),
        ]))
  }

  var bytesSection: Markup {
    var series = [
      TimeChart.Series(name: "sent", style: "ok", values: facts.overTime.map(\.bytesOut))
    ]
    if facts.total.bytesIn > 0 {
      series.append(.init(name: "received", style: "in", values: facts.overTime.map(\.bytesIn)))
    }
    return section(
      "Bytes over time",
      "Bodies of answers as they were handed to the network, counted when a request began.",
      overTime("bytes", "Bytes", .bytes, series))
  }

  // MARK: By name

  private func byName(
    _ id: String, _ title: String, _ unit: ChartUnit, style: String, bars: [NameChart.Bar],
    _ table: MarkupTable
  ) -> Markup {
    let shown = Array(bars.prefix(Limits.chartNames))
    let first = shown.first.map { "\($0.name): \(unit.label($0.value))" } ?? ""
    let chart = NameChart(
      frame: ChartFrame(
        id: id, title: title, description: "\(shown.count) bars; the first is \(first)."),
      unit: unit, style: style, bars: shown)
    return "<figure>\n\(chart.markup)</figure>\n\(table.markup)"
  }

  var failuresSection: Markup {
    guard !facts.failures.isEmpty else {
      return section("Errors by code", "No request that is still in the record failed.", "")
    }
    let rows = facts.failures.map { failure -> [Markup] in
      [
        "\(failure.code)", "\(failure.status.map { "\($0)" } ?? "")",
        "\(Figure.count(failure.requests))", "\(Figure.count(failure.persons))",
        "\(Self.meaning(failure.outcome))", "\(ChartTime.minute(failure.last))",
      ]
    }
    let bars = facts.failures.map { failure in
      NameChart.Bar(
        name: [failure.code, failure.status.map { "\($0)" }].compactMap { $0 }.joined(
          separator: " · "),
        value: failure.requests)
    }
    return section(
      "Errors by code",
      "The most frequent first; the code is what the client was told, else how the request ended.",
      byName(
        "errors", "Requests by error code", .count, style: "error", bars: bars,
        MarkupTable(
          caption: "Errors by code",
          columns: [
            .init(title: "Code", kind: .word), .init(title: "Status", kind: .number),
            .init(title: "Requests", kind: .number), .init(title: "Persons", kind: .number),
            .init(title: "What happened", kind: .text), .init(title: "Last (UTC)", kind: .word),
          ], rows: rows)))
  }

  private static func meaning(_ outcome: String) -> String {
    switch outcome {
    case "client_error": "refused, or asked wrongly"
    case "server_error": "failed here or at Globus"
    case "client_abort": "the client left before the end"
    case "upstream_abort": "cut, because the storage failed"
    case "timeout": "given up after too long a wait"
    case "lost": "the server ended first; whether it took effect is not known"
    default: outcome
    }
  }

  /// The columns of a list of names, with its figures.
  private func table(
    _ title: String, last: String, _ list: [HTMLReportFacts.Named], hasPersons: Bool,
    name: (HTMLReportFacts.Named) -> Markup
  ) -> MarkupTable {
    let hasReceived = facts.total.bytesIn > 0
    var columns: [(String, MarkupTable.Kind)] = [(title, .text), ("Sent", .number)]
    if hasReceived { columns.append(("Received", .number)) }
    columns += [("Requests", .number), ("Errors", .number)]
    if hasPersons { columns.append(("Persons", .number)) }
    columns.append((last, .word))
    let rows = list.map { one -> [Markup] in
      var row = [name(one), "\(Figure.bytes(one.sums.bytesOut))"]
      if hasReceived { row.append("\(Figure.bytes(one.sums.bytesIn))") }
      row += ["\(Figure.count(one.sums.requests))", "\(Figure.count(one.sums.errors))"]
      if hasPersons { row.append("\(Figure.count(one.persons))") }
      return row + ["\(ChartTime.minute(one.last))"]
    }
    return MarkupTable(
      caption: title, columns: columns.map { .init(title: $0.0, kind: $0.1) }, rows: rows)
  }

  var collectionsSection: Markup {
    guard !facts.collections.isEmpty else {
      return section("Collections", "No request was for a collection.", "")
    }
    return section(
      "Collections", "Those that moved the most bytes, at most \(Limits.reportNames).",
      byName(
        "collections", "Bytes by collection", .bytes, style: "ok",
        bars: facts.collections.map { .init(name: $0.name ?? "", value: $0.sums.bytes) },
        table("Collection", last: "Last hour", facts.collections, hasPersons: true) {
          "\($0.name ?? "")"
        }))
  }

  var peopleSection: Markup {
    func name(_ one: HTMLReportFacts.Named) -> String { one.name ?? one.of ?? "nobody known" }
    return section(
      "Persons",
      "Those who moved the most bytes, at most \(Limits.reportNames). Nobody known: requests "
        + "without a credential, and persons who were forgotten.",
      byName(
        "persons", "Bytes by person", .bytes, style: "ok",
        bars: facts.people.map { .init(name: name($0), value: $0.sums.bytes) },
        table("Person", last: "Last hour", facts.people, hasPersons: false) {
          .name(name($0), of: $0.of)
        }))
  }

  var objectsSection: Markup {
    guard !facts.objects.isEmpty else {
      return section("Objects", "No request that is still in the record was for an object.", "")
    }
    return section(
      "Objects", "The keys that moved the most bytes, at most \(Limits.reportNames).",
      byName(
        "objects", "Bytes by object", .bytes, style: "ok",
        bars: facts.objects.map { .init(name: $0.name ?? "", value: $0.sums.bytes) },
        table("Key and collection", last: "Last (UTC)", facts.objects, hasPersons: true) {
          .name($0.name ?? "", of: $0.of)
        }))
  }

  // MARK: Latency

  var latencySection: Markup {
    guard let slowest = facts.latencies.max(by: { $0.p99 < $1.p99 }) else {
      return section("How long requests took", "No request that is still in the record ended.", "")
    }
    let chart = LatencyChart(
      frame: ChartFrame(
        id: "latency", title: "Duration by operation",
        description: "The 50th, 90th and 99th percentile of each operation on a logarithmic axis; "
          + "the slowest is \(slowest.operation), of which 99 % ended within "
          + "\(Figure.duration(microseconds: slowest.p99))."),
      rows: Array(facts.latencies.prefix(Limits.chartNames)))
    let rows = facts.latencies.map { one -> [Markup] in
      ["\(one.operation)", "\(Figure.count(one.requests))"]
        + [one.p50, one.p90, one.p99, one.longest].map {
          "\(Figure.duration(microseconds: $0))" as Markup
        }
    }
    let table = MarkupTable(
      caption: "Duration by operation",
      columns: [.init(title: "Operation", kind: .text)]
        + ["Requests", "p50", "p90", "p99", "Longest"].map { .init(title: $0, kind: .number) },
      rows: rows)
    let marks = legend([
      ("p50", "half ended within this (p50)"), ("p90", "90 % (p90)"), ("p99", "99 % (p99)"),
    ])
    return section(
      "How long requests took",
      "From a request's arrival to the last byte of its answer, so large objects take long. Each "
        + "line is ten times the one before; at the right p50 to p99. To within 2 %.",
      "<figure>\n\(chart.markup)\(marks)</figure>\n\(table.markup)")
  }
}

extension String {
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
