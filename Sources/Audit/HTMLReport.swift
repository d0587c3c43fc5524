// HTMLReport: the record as one page that needs nothing else: pictures, the figures under them, and
// how far they go. A person can read it, print it and hand it over.
//
// The page has no script and loads nothing; its policy says so to the browser. The file is private
// (0600) and never replaces another.

import Foundation
import GRDB

extension QueryReader {
  /// Writes the page to a file that must not be there yet. `keyPrefix` and `limit` of the filter
  /// have no meaning here.
  public func writeHTMLReport(_ filter: ReportFilter, to path: String) throws {
    let path = absolutePath(path)
    let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw AuditError(.unusable, "cannot create \(path): \(reason(errno)); choose another file")
    }
    defer { close(descriptor) }
    do {
      let page = try htmlReport(filter, now: AuditLog.wallMicroseconds())
      let written = Array(page.utf8).withUnsafeBytes { bytes in
        var done = 0
        while done < bytes.count {
          let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
          if count < 0, errno == EINTR { continue }
          guard count > 0 else { return false }
          done += count
        }
        return true
      }
      guard written else {
        throw AuditError(.unusable, "cannot write \(path): \(reason(errno)); free space")
      }
    } catch {
      unlink(path)
      throw error
    }
  }

  /// The page; `now` is in microseconds since 1970.
  func htmlReport(_ filter: ReportFilter, now: Int64) throws -> String {
    let facts = try translating {
      try queue.read { db in try HTMLReportFacts.read(filter, now: now, db) }
    }
    var covered = filter
    (covered.since, covered.until) = (facts.from, facts.to)
    let report = HTMLReport(
      facts: facts, filter: filter, coverage: try coverage(nil, covered), databases: paths, now: now
    )
    return report.page.text
  }
}

struct HTMLReport {
  let facts: HTMLReportFacts
  let filter: ReportFilter
  let coverage: [String]
  let databases: [String]
  let now: Int64

  var page: Markup {
    let parts =
      facts.total.requests > 0
      ? [
        tiles, coverageSection, requestsSection, bytesSection, failuresSection,
        collectionsSection, peopleSection, objectsSection, latencySection,
      ] : [empty, coverageSection]
    return HTMLReportStyle.page(
      title: "Record of requests, \(ChartTime.date(facts.from)) to \(ChartTime.date(facts.to - 1))",
      "<header>\n\(heading)</header>\n<main>\n\(parts.joined())</main>\n\(footer)")
  }

  /// `22 November 2026, 10:00 to 23 November 2026, 12:00 UTC`
  var span: String {
    "\(ChartTime.words(facts.from)) to \(ChartTime.words(min(facts.to, max(now, facts.from)))) UTC"
  }

  private var heading: Markup {
    var limits: Markup = ""
    if let collection = filter.collectionID {
      limits +=
        "<p class=\"muted\">Only the collection <code>\(collection.lowercased())</code>.</p>\n"
    }
    if let user = filter.user {
      limits += "<p class=\"muted\">Only the person <code>\(user)</code>.</p>\n"
    }
    let names = databases.map { "<code>\($0)</code>" as Markup }
    let list = names.enumerated().map { $0.offset == 0 ? $0.element : ", \($0.element)" }.joined()
    return """
      <h1>Record of requests</h1>
      <p class="lead">\(span)</p>
      \(limits)<p class="muted">From \(list), read on \(ChartTime.words(now)) UTC.</p>

      """
  }

  private var empty: Markup {
    let passing = filter.isNarrow ? " that passes the filter" : ""
    return """
      <section>
      <h2>No requests</h2>
      <p>The record has no request in this time\(passing).</p>
      </section>

      """
  }

  private var tiles: Markup {
    let total = facts.total
    let share = Figure.share(total.errors, of: total.requests)
    var tiles: [(String, Markup)] = [
      ("Requests", "\(Figure.count(total.requests))"),
      ("Errors", "\(Figure.count(total.errors)) <small>\(share)</small>"),
      ("Sent", "\(Figure.bytes(total.bytesOut))"),
    ]
    if total.bytesIn > 0 { tiles.append(("Received", "\(Figure.bytes(total.bytesIn))")) }
    tiles += [
      ("Persons", "\(Figure.count(facts.persons))"),
      ("Collections", "\(Figure.count(facts.collectionCount))"),
    ]
    let content = tiles.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>\n" as Markup }
    return "<dl class=\"facts\">\n\(content.joined())</dl>\n"
  }

  private var coverageSection: Markup {
    let items = coverage.map { "<li>\($0)</li>\n" as Markup }
    return """
      <section>
      <h2>How far this goes</h2>
      <ul class="coverage">
      \(items.joined())</ul>
      </section>

      """
  }

  private var footer: Markup {
    """
    <footer>
    <p>This page names persons and objects: keep it as you keep the record. It proves nothing by
    itself; <code>globus-s3-frontend audit verify</code> proves the record that it was made
    from.</p>
    </footer>

    """
  }
}

extension ReportFilter {
  fileprivate var isNarrow: Bool { collectionID != nil || user != nil }
}
