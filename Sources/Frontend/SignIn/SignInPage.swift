// SignInPage: the pages that people see. Plain HTML without script; the one style sheet stands in
// the page and is allowed by its hash, so that injected markup could neither run nor load anything.

import Crypto
import FoundationEssentials

enum SignInPage {
  static func success(_ result: SignedIn) -> String {
    let key = result.sealed.accessKeyID
    let secret = result.sealed.secretAccessKey.value
    let endpoint = result.baseURL.description
    let collections = zip(result.credential.collections, result.names)
    let list = collections.map { grant, name in
      "<li>\(name.map { "<b>\(escaped($0))</b><br>" } ?? "")<code>\(grant.collection)</code></li>"
    }
    let bucket = result.credential.collections.first?.collection.description ?? ""
    return page(
      title: "Signed in",
      """
      <p>You have a credential for the S3 interface of:</p>
      <ul>\(list.joined())</ul>
      <dl>
      <dt>Signed in as</dt><dd>\(escaped(result.credential.username))</dd>
      <dt>Valid until</dt><dd><time datetime="\(result.expiry)">\(until(result))</time></dd>
      <dt>Signatures</dt><dd>\(result.credential.isStrict ? "strict" : "not strict")</dd>
      </dl>
      <p>Copy what your tool needs now: this page is shown once, and nothing of it is kept here.</p>
      <h2>Environment variables</h2>
      \(block([
        "export AWS_ACCESS_KEY_ID=\(key)", "export AWS_SECRET_ACCESS_KEY=\(secret)",
        "export AWS_ENDPOINT_URL=\(endpoint)", "export AWS_REGION=globus",
        "export AWS_DEFAULT_REGION=globus",
      ]))
      <h2>Or a profile in <code>~/.aws/config</code></h2>
      \(block([
        "[profile globus]", "aws_access_key_id = \(key)", "aws_secret_access_key = \(secret)",
        "endpoint_url = \(endpoint)", "region = globus",
      ]))
      <h2>Then</h2>
      \(block(["aws s3 cp s3://\(bucket)/path/to/file ."]))
      <p>With the profile, add <code>--profile globus</code>.</p>
      \(strictness(result))
      <p>Treat both values like a password: whoever has them reads the collection as you do, until
      the time above.</p>
      """)
  }

  private static func strictness(_ result: SignedIn) -> String {
    if result.credential.isStrict {
      return """
        <h2>Sharing links</h2>
        <p>This credential is <b>strict</b>: requests count only when they are signed with the
        secret. A presigned link that you make with it opens the one object that you made it for,
        and nothing else.</p>
        """
    }
    let ids = result.credential.collections.map(\.collection)
    let url = SignInURL.start(ids, isStrict: true, at: result.baseURL)
    return """
      <h2>Sharing links</h2>
      <p>This credential is not strict: its access key id alone may open the collection. A presigned
      link contains the access key id, so <b>don't share links that are made with it</b>. For links,
      get a <a href="\(escaped(url))">strict credential</a>: it counts only together with its
      secret, which no link contains.</p>
      """
  }

  static func failure(_ error: SignInError, requestID: String, retry: String?) -> String {
    let link = retry.map { "<p><a href=\"\(escaped($0))\">\(error.link)</a></p>" } ?? ""
    return page(
      title: error.title,
      """
      <p>\(escaped(error.message))</p>
      <p>\(escaped(error.nextStep))</p>
      \(link)
      <p class="small">Error <code>\(escaped(error.code))</code>, request
      <code>\(escaped(requestID))</code></p>
      """)
  }

  /// `text` as it may stand between tags and in quoted attributes.
  static func escaped(_ text: String) -> String {
    var escaped = ""
    escaped.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// What the Content-Security-Policy allows.
  static let styleHash =
    "sha256-" + Data(SHA256.hash(style.utf8)).base64EncodedString()

  private static func block(_ lines: [String]) -> String {
    "<pre>\(escaped(lines.joined(separator: "\n")))</pre>"
  }

  /// `2026-03-04 05:06:07 UTC`
  private static func until(_ result: SignedIn) -> String {
    let text = result.expiry.replacing("T", with: " ")
    return "\(text.hasSuffix("Z") ? String(text.dropLast()) : text) UTC"
  }

  private static func page(title: String, _ content: String) -> String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(escaped(title)) · Globus over S3</title>
    <style>\(style)</style>
    </head>
    <body>
    <main>
    <h1>\(escaped(title))</h1>
    \(content)
    </main>
    </body>
    </html>

    """
  }

  private static let style = """
    :root{color-scheme:light dark}
    body{margin:0;font:1rem/1.5 system-ui,sans-serif}
    main{max-width:46rem;margin:0 auto;padding:1.5rem 1rem 4rem}
    h1{font-size:1.6rem;line-height:1.2}
    h2{font-size:1.1rem;margin:1.8rem 0 .4rem}
    pre,code{font:.875rem/1.5 ui-monospace,monospace}
    pre{padding:.8rem;border:1px solid #8888;border-radius:.4rem;background:#8881;\
    white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;-webkit-user-select:all}
    li code{overflow-wrap:anywhere}
    dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}
    dt{font-weight:600}
    dd{margin:0;overflow-wrap:anywhere}
    .small{font-size:.85rem;opacity:.8}
    """
}
