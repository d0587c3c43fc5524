/// Where a sign-in starts.
enum SignInURL {
  /// `<base-url>/<collection>/?auth`, or `<base-url>/?auth&collection=…` for several.
  static func start(_ ids: [CollectionID], isStrict: Bool, at base: BaseURL) -> String {
    let strict = isStrict ? "&strict" : ""
    if ids.count == 1 { return "\(base)/\(ids[0])/?auth\(strict)" }
    return "\(base)/?auth\(ids.map { "&collection=\($0)" }.joined())\(strict)"
  }

  /// Whether a Host header (lower case) is the base URL's own.
  static func isBase(_ host: String, _ base: BaseURL) -> Bool {
    host == base.authority || base.port == nil && host == "\(base.host):\(base.isSecure ? 443 : 80)"
  }
}
