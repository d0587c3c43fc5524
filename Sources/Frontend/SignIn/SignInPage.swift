// SignInPage: what people see at the end of a sign-in: the credential and how to use it, or what
// went wrong and the way on. Whatever others wrote is escaped; nothing of the request is repeated.

enum SignInPage {
  static func success(_ result: SignedIn) -> String {
    let snippets = SignInSnippets(result)
    return PageDocument.html(
      title: "You are signed in",
      """
      <h1>You are signed in</h1>
      <p class="lead">S3 tools can now open \(opened(result)) as you. Copy what your tool needs: the
      credential is shown once, and nothing of it is kept here.</p>
      \(facts(result))
      \(contents)
      \(profile(snippets))
      \(environment(snippets))
      \(programs(snippets))
      \(values(snippets))
      \(sharing(result))
      \(keeping(result))
      """)
  }

  /// `retry` is where the same sign-in starts anew; without it the page asks for a collection.
  static func failure(
    _ error: SignInError, requestID: String, retry: String?, baseURL: BaseURL
  ) -> String {
    let link = retry.map { "<p><a class=\"button\" href=\"\(escaped($0))\">\(error.link)</a></p>" }
    return PageDocument.html(
      title: error.title,
      """
      <section class="\(error == .noCollectionNamed ? "asks" : "bad")">
      <h1>\(escaped(error.title))</h1>
      <p class="lead">\(escaped(error.message))</p>
      <p>\(escaped(error.nextStep))</p>
      \(link ?? "")
      \(retry == nil || error.asksForCollection ? form(baseURL, isFirst: retry == nil) : "")
      </section>
      <p class="quiet">If you ask for help, name the error <code>\(escaped(error.code))</code> and
      the request <code>\(escaped(requestID))</code>.</p>
      """)
  }

  /// Starts a sign-in for a collection that the person names.
  private static func form(_ baseURL: BaseURL, isFirst: Bool) -> String {
    """
    <form action="\(escaped("\(baseURL)/"))" method="get">
    <input type="hidden" name="auth" value="">
    <label for="collection">\(isFirst ? "Collection UUID" : "Or another collection's UUID")</label>
    <p class="quiet" id="where">It stands on the collection's page in the
    <a href="https://app.globus.org/collections">Globus web app</a>.</p>
    <div class="field">
    <input id="collection" name="collection" required spellcheck="false" autocapitalize="off"
    autocomplete="off" aria-describedby="where" placeholder="01234567-89ab-cdef-0123-456789abcdef"
    pattern="[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    title="32 hexadecimal digits in five groups: 01234567-89ab-cdef-0123-456789abcdef">
    <button>Sign in</button>
    </div>
    </form>
    """
  }

  /// What the credential opens, in a few words.
  private static func opened(_ result: SignedIn) -> String {
    let count = result.credential.collections.count
    guard count == 1 else { return "\(count) collections" }
    return result.names.first.flatMap { $0 }.map { "<b>\(escaped($0))</b>" } ?? "the collection"
  }

  private static func facts(_ result: SignedIn) -> String {
    let collections = zip(result.credential.collections, result.names).map { grant, name in
      let title = name.map { "<b>\(escaped($0))</b><br>" } ?? ""
      let root = grant.rootFolder.map {
        "<br>its folder <code>\(escaped($0.description))</code>, and nothing outside of it"
      }
      return "<li>\(title)<code>\(grant.collection)</code>\(root ?? "")</li>"
    }
    let strict = result.credential.isStrict
    let several = collections.count > 1
    return """
      <section class="good" aria-label="The credential">
      <dl>
      <dt>\(several ? "Opens the buckets" : "Opens the bucket")</dt>
      <dd><ul>\(collections.joined())</ul></dd>
      <dt>As</dt><dd>\(escaped(result.credential.username))</dd>
      <dt>Until</dt><dd><time datetime="\(result.expiry)">\(until(result))</time></dd>
      <dt>Kind</dt><dd>\(strict ? "<b>strict</b>: it counts only in requests signed with its secret"
        : "<b>not strict</b>: its access key ID alone may be enough")
      (<a href="#sharing">what this means</a>)</dd>
      </dl>
      </section>
      """
  }

  private static let contents = """
    <nav aria-label="On this page">
    <ul>
    <li><a href="#save">Save it</a></li>
    <li><a href="#variables">Environment</a></li>
    <li><a href="#programs">aws, Python, DuckDB</a></li>
    <li><a href="#values">Other programs</a></li>
    <li><a href="#sharing">Sharing links</a></li>
    <li><a href="#keeping">Safety</a></li>
    </ul>
    </nav>
    """

  private static func profile(_ snippets: SignInSnippets) -> String {
    """
    <section id="save">
    <h2>Save it as a profile</h2>
    <p>Two steps in a terminal with the AWS command line. The secret goes to <code>aws</code>, not
    to the shell, so it does not enter the shell's history; the files are for you alone.</p>
    \(block(snippets.terminal))
    \(block(snippets.answers))
    <h3>Or write the files yourself</h3>
    <p>Put this into two files with an editor, in place of an older profile of this name, and run
    <code>chmod 600 ~/.aws/credentials</code>.</p>
    \(block(snippets.settings))
    \(block(snippets.keys))
    </section>
    """
  }

  private static func environment(_ snippets: SignInSnippets) -> String {
    """
    <section id="variables">
    <h2>Or as environment variables</h2>
    <p>For jobs, containers and settings of services. A shell that you paste this into keeps it in
    its history; with the profile, <code>export AWS_PROFILE=globus</code> does as well.</p>
    \(block(snippets.environment))
    </section>
    """
  }

  private static func programs(_ snippets: SignInSnippets) -> String {
    let all = [
      snippets.commands, snippets.boto3, snippets.s3fs, snippets.pyarrow, snippets.duckDB,
    ]
    return """
      <section id="programs">
      <h2>Then read your data</h2>
      <p>These take the credential from the profile <code>globus</code>: they hold no secret, and
      stay as they are when you sign in again.</p>
      \(all.map(block).joined(separator: "\n"))
      </section>
      """
  }

  private static func values(_ snippets: SignInSnippets) -> String {
    """
    <section id="values">
    <h2>For other programs</h2>
    <p>rclone, Cyberduck, s3cmd and others ask for these one by one.</p>
    \(snippets.values.map(block).joined(separator: "\n"))
    </section>
    """
  }

  private static func sharing(_ result: SignedIn) -> String {
    if result.credential.isStrict {
      return """
        <section id="sharing">
        <h2>Sharing links</h2>
        <p>This credential is <b>strict</b>: requests count only when they are signed with its
        secret. A presigned link that you make with it opens the one object that you made it for,
        and nothing else, so you can share it.</p>
        </section>
        """
    }
    return """
      <section id="sharing">
      <h2>Sharing links</h2>
      <p>This credential is <b>not strict</b>: its access key ID alone may open everything above. A
      presigned link contains the access key ID, so <b>don't share links that are made with it</b>.
      For links, get a strict credential: it counts only together with its secret, which no link
      contains.</p>
      <p><a class="button" href="\(escaped(start(result, isStrict: true)))">Get a strict
      credential</a></p>
      </section>
      """
  }

  private static func keeping(_ result: SignedIn) -> String {
    """
    <section id="keeping">
    <h2>Keeping it safe</h2>
    <p>Treat the access key ID and the secret like a password: whoever has them opens the data as
    you do, until the time above. After that, or when it is lost, <a
    href="\(escaped(start(result, isStrict: result.credential.isStrict)))">sign in again</a>
    for a new one.</p>
    </section>
    """
  }

  private static func start(_ result: SignedIn, isStrict: Bool) -> String {
    var link = SignInLink(renewing: result.credential)
    link.isStrict = isStrict
    return link.url(at: result.baseURL)
  }

  private static func block(_ snippet: Snippet) -> String {
    let title = escaped(snippet.title)
    // The focus lets keyboards scroll it.
    return """
      <figure><figcaption>\(title)</figcaption>
      <pre id="\(snippet.id)" tabindex="0" role="group" aria-label="\(title)">\
      \(escaped(snippet.text))</pre></figure>
      """
  }

  /// `2026-03-04 05:06:07 UTC`
  private static func until(_ result: SignedIn) -> String {
    let text = result.expiry.replacing("T", with: " ")
    return "\(text.hasSuffix("Z") ? String(text.dropLast()) : text) UTC"
  }

  private static func escaped(_ text: String) -> String { PageDocument.escaped(text) }
}
