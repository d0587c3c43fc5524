// HTMLReportStyle: the page's head and its one style sheet, which the Content-Security-Policy
// allows by its hash. Nothing is loaded from anywhere, and there is no script.

import Crypto
import Foundation

enum HTMLReportStyle {
  /// The page around its content.
  static func page(title: String, _ content: Markup) -> Markup {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="\(policy)">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="referrer" content="no-referrer">
    <meta name="color-scheme" content="light dark">
    <title>\(title)</title>
    <style>\(Markup(stringLiteral: sheet))</style>
    </head>
    <body>
    \(content)</body>
    </html>

    """
  }

  static let policy =
    "default-src 'none'; style-src 'sha256-\(sheetHash)'; base-uri 'none'; form-action 'none'"

  private static let sheetHash = Data(SHA256.hash(sheet.utf8)).base64EncodedString()

  private static let sheet = """

    :root {
      --text: #1b2429; --muted: #55636b; --paper: #ffffff; --card: #f4f6f7; --line: #d9dfe2;
      --ok: #2b6f8f; --error: #c2452d; --in: #8a6bb1; --focus: #2b6f8f;
    }
    @media screen and (prefers-color-scheme: dark) {
      :root {
        --text: #e6ebee; --muted: #a3b0b8; --paper: #14191c; --card: #1e262a; --line: #37424a;
        --ok: #5db3d6; --error: #f0836b; --in: #b89ae0; --focus: #5db3d6;
      }
    }
    * { box-sizing: border-box }
    html { background: var(--paper); color: var(--text); -webkit-text-size-adjust: 100% }
    body {
      font: 1rem/1.5 system-ui, "Liberation Sans", Arial, sans-serif;
      max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem;
    }
    h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em }
    h2 { font-size: 1.25rem; line-height: 1.3; margin: 3rem 0 .2rem }
    p { margin: .3rem 0 1rem }
    .lead { font-size: 1.05rem; margin-bottom: .2rem }
    .muted, caption, figcaption, summary, th, footer { color: var(--muted) }
    code { font: .875em ui-monospace, "DejaVu Sans Mono", Menlo, monospace;
      overflow-wrap: anywhere }
    .facts {
      display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem;
      margin: 1.75rem 0 0; padding: 0;
    }
    .facts div { background: var(--card); border-radius: 8px; padding: .8rem 1rem }
    .facts dt { color: var(--muted); font-size: .875rem }
    .facts dd { margin: 0; font-size: 1.45rem; line-height: 1.3; font-weight: 600;
      font-variant-numeric: tabular-nums; white-space: nowrap }
    .facts small { display: block; font-size: .95rem; font-weight: 400; color: var(--muted) }
    .coverage { margin: .5rem 0; padding-left: 1.2rem }
    .coverage li { margin: .25rem 0 }
    figure { margin: 1.1rem 0 0 }
    svg { display: block; overflow: visible }
    svg text { fill: var(--muted); font: 12px system-ui, "Liberation Sans", Arial, sans-serif;
      font-variant-numeric: tabular-nums }
    svg.time { width: calc(100% - 4.75rem); margin-left: 4.75rem }
    svg .y, svg .value { text-anchor: end }
    svg .name, svg .value { fill: var(--text); font-size: 13px; paint-order: stroke;
      stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round }
    svg .grid { stroke: var(--line) }
    svg .base { stroke: var(--muted) }
    svg .track { fill: var(--card) }
    svg .ok { fill: var(--ok) }
    svg .error { fill: var(--error) }
    svg .in { fill: var(--in) }
    svg .span { stroke: var(--ok); stroke-width: 2 }
    svg .p50 { fill: var(--ok); stroke: var(--ok); stroke-width: 2 }
    svg .p90 { fill: var(--paper); stroke: var(--ok); stroke-width: 2 }
    svg .p99 { fill: var(--error); stroke: var(--error); stroke-width: 2 }
    .legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .6rem 0 0;
      padding: 0; list-style: none; font-size: .875rem; color: var(--muted) }
    .legend svg { display: inline-block; width: 12px; margin-right: .45rem }
    details { margin-top: .6rem; font-size: .875rem }
    summary { cursor: pointer; width: fit-content }
    .table { overflow-x: auto; margin-top: 1rem }
    table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4 }
    caption { text-align: left; padding: 0 0 .4rem }
    figure + .table caption { position: absolute; width: 1px; height: 1px; overflow: hidden;
      clip-path: inset(50%) }
    td small { color: var(--muted); font-size: .8125rem }
    th, td { text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0 }
    th { font-weight: 600; border-bottom: 1px solid var(--muted); white-space: nowrap }
    td { border-bottom: 1px solid var(--line); overflow-wrap: anywhere; min-width: 11rem }
    th:last-child, td:last-child { padding-right: 0 }
    .number, .word { white-space: nowrap; min-width: 0; font-variant-numeric: tabular-nums }
    .number { text-align: right }
    :focus-visible { outline: 2px solid var(--focus); outline-offset: 3px }
    footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--line);
      font-size: .875rem }
    @media (max-width: 34rem) {
      body { padding: 1.5rem 1rem 3rem }
      h1 { font-size: 1.5rem }
      .facts dd { font-size: 1.2rem }
      svg.time { width: calc(100% - 4.25rem); margin-left: 4.25rem }
      svg .minor { display: none }
    }
    @media print {
      @page { margin: 15mm }
      html { font-size: 13px; print-color-adjust: exact; -webkit-print-color-adjust: exact }
      body { max-width: none; padding: 0 }
      section { break-inside: auto }
      h2 { break-after: avoid; margin-top: 2rem }
      figure, tr, .facts { break-inside: avoid }
      .table { overflow: visible }
      details:not([open]) { display: none }
    }

    """
}
