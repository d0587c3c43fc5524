// Pages: what Auth shows to people: the consent form, and the error page that leads nowhere.

import Reactor

enum Pages {
  static func error(_ code: String, _ text: String) -> Reply {
    page(
      400, title: "Sign-in failed",
      """
      <h1>Sign-in failed</h1>
      <p>\(text.htmlEscaped)</p>
      <p>Error code: <code>\(code.htmlEscaped)</code>, error id: <code>\(randomUUID())</code></p>
      """)
  }

  /// The form repeats the request's parameters, so nothing has to be remembered in between.
  @Loop static func consent(
    _ parameters: Parameters, scopes: [Scope], deployment: Deployment
  ) -> Reply {
    let hidden = parameters.pairs.filter { !["decision", "identity"].contains($0.name) }.map {
      "<input type=\"hidden\" name=\"\($0.name.htmlEscaped)\" value=\"\($0.value.htmlEscaped)\">"
    }
    let users = deployment.configuration.users.map {
      let name = $0.username.htmlEscaped
      return "<option value=\"\(name)\">\($0.name.htmlEscaped) (\(name))</option>"
    }
    let wanted = scopes.map {
      "<li>\(describe($0, deployment).htmlEscaped)<br><code>\($0.name.htmlEscaped)</code></li>"
    }
    let app = deployment.configuration.clientID.htmlEscaped
    return page(
      200, title: "Consent",
      """
      <h1>Local stand-in for Globus</h1>
      <p>The app <code>\(app)</code> would like to:</p>
      <ul>\(wanted.joined())</ul>
      <p>It will be told at <code>\((parameters["redirect_uri"] ?? "").htmlEscaped)</code>.</p>
      <form method="post" action="/v2/oauth2/authorize">
      \(hidden.joined(separator: "\n"))
      <p><label>Sign in as <select name="identity">\(users.joined())</select></label></p>
      <p><button id="approve" name="decision" value="approve">Approve</button>
      <button id="deny" name="decision" value="deny">Deny</button></p>
      </form>
      """)
  }

  @Loop private static func describe(_ scope: Scope, _ deployment: Deployment) -> String {
    if Scope.auth.contains(scope.name) { return "Know who you are" }
    if scope.name == Scope.transfer { return "List and manage files with Globus Transfer" }
    let server = deployment.resourceServer(of: scope.name) ?? ""
    let name = deployment.collection(server)?.displayName ?? server
    return "Read and write the files of the collection \(name)"
  }

  private static func page(_ status: Int, title: String, _ body: String) -> Reply {
    let html = """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><title>\(title)</title>
      <meta name="viewport" content="width=device-width">
      <style>body{font:16px/1.5 sans-serif;max-width:42em;margin:3em auto;padding:0 1em}
      code{overflow-wrap:anywhere}button{font:inherit;padding:.4em 1.5em}</style></head>
      <body>\(body)</body></html>

      """
    return Reply(
      status,
      headers: [
        "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
      ], body: Array(html.utf8))
  }
}
