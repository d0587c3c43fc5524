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
    guard target.utf8.first == UInt8(ascii: "/") else {
      throw S3Error(.invalidURI, "The request's target must be a path that begins with \"/\".")
    }
    let question = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
    path = String(target[..<question])
    encodedQuery =
      question == target.endIndex ? "" : String(target[target.index(after: question)...])
    let rest = path.dropFirst()
    if let bucket = Self.virtualBucket(host: host, baseHost: baseHost) {
      self.bucket = bucket
      isVirtualHosted = true
      encodedKey = rest.isEmpty ? nil : String(rest)
      return
    }
    isVirtualHosted = false
    let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
    let name = rest[..<slash]
    let key = slash == rest.endIndex ? "" : rest[rest.index(after: slash)...]
    guard !name.isEmpty || slash == rest.endIndex else {
      throw S3Error(.invalidURI, "The request's path begins with \"//\": the bucket is missing.")
    }
    guard let decoded = PercentEncoding.decode(name.utf8) else {
      throw S3Error(.invalidURI, "The path has a \"%\" that is not followed by two hex digits.")
    }
    bucket = name.isEmpty ? nil : String(decoding: decoded, as: UTF8.self)
    encodedKey = key.isEmpty ? nil : String(key)
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
    let host = host.utf8
    guard let dot = host.firstIndex(of: UInt8(ascii: ".")) else { return nil }
    let rest = host[host.index(after: dot)...].prefix { $0 != UInt8(ascii: ":") }
    guard rest.count == baseHost.utf8.count, rest.elementsEqual(baseHost.utf8, by: isSame) else {
      return nil
    }
    let label = String(host[..<dot])!.lowercased()
    return CollectionID(label) == nil ? nil : label
  }
}
