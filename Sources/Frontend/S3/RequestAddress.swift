// RequestAddress: which bucket and key a request's Host and target name, still undecided on
// whether they are any good: the action is named first, so that refusals are recorded under it.

struct RequestAddress: Sendable {
  enum Level: Sendable { case service, bucket, object }

  /// As in the host name or the path, decoded; nil: the service itself.
  let bucket: String?
  /// Whether the host name names the bucket, not the path.
  let isVirtualHosted: Bool
  /// As received, without the "/" before it; nil when empty.
  let encodedKey: String?
  /// The path as received, which is what signatures cover.
  let path: String
  /// As received, without the "?".
  let encodedQuery: String

  /// `host` is the Host header, or empty. `baseHost` is the lower-case host of the base URL:
  /// `<uuid>.<baseHost>` names a bucket, every other host leaves that to the path. Throws
  /// InvalidURI for a target that is no path.
  init(host: String, target: String, baseHost: String) throws(S3Error) {
    let text = target.utf8.span
    guard text.count > 0, text[0] == UInt8(ascii: "/") else {
      throw S3Error(.invalidURI, "The request's target must be a path that begins with \"/\".")
    }
    let end = text.index(of: UInt8(ascii: "?")) ?? text.count
    path = end == text.count ? target : text.string(0..<end)
    encodedQuery = end == text.count ? "" : text.string(end + 1..<text.count)
    if let bucket = Self.virtualBucket(host: host, baseHost: baseHost) {
      self.bucket = bucket
      isVirtualHosted = true
      encodedKey = end == 1 ? nil : text.string(1..<end)
      return
    }
    isVirtualHosted = false
    let slash = text.extracting(..<end).index(of: UInt8(ascii: "/"), from: 1) ?? end
    guard slash > 1 || slash == end else {
      throw S3Error(.invalidURI, "The request's path begins with \"//\": the bucket is missing.")
    }
    let name = text.string(1..<slash)
    guard let decoded = PercentEncoding.decoded(name) else {
      throw S3Error(.invalidURI, "The path has a \"%\" that is not followed by two hex digits.")
    }
    bucket = name.isEmpty ? nil : decoded
    encodedKey = slash + 1 >= end ? nil : text.string(slash + 1..<end)
  }

  var level: Level { bucket == nil ? .service : encodedKey == nil ? .bucket : .object }

  /// The collection whose bucket is named, nil for the service; throws NoSuchBucket for a name
  /// that is no UUID.
  func collection() throws(S3Error) -> CollectionID? {
    guard let bucket else { return nil }
    guard let id = CollectionID(bucket) else {
      throw S3Error(
        .noSuchBucket, "There is no such bucket: a bucket's name is the UUID of a collection.",
        details: [("BucketName", bucket)])
    }
    return id
  }

  /// Whether a host, with or without a port, is one of our names.
  static func isServed(_ host: String, at baseHost: String) -> Bool {
    host.lowercased().prefix { $0 != ":" } == baseHost
      || virtualBucket(host: host, baseHost: baseHost) != nil
  }

  /// The bucket that a host name stands for, if it is one; a port says nothing.
  private static func virtualBucket(host: String, baseHost: String) -> String? {
    let host = host.utf8.span
    guard let dot = host.index(of: UInt8(ascii: ".")) else { return nil }
    let end = host.index(of: UInt8(ascii: ":"), from: dot) ?? host.count
    guard host.extracting(dot + 1..<end).equalsIgnoringCase(baseHost.utf8.span) else { return nil }
    let label = host.string(0..<dot).lowercased()
    return CollectionID(label) == nil ? nil : label
  }
}
