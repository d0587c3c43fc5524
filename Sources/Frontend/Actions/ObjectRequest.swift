// ObjectRequest: what HEAD and GET of an object have in common: the request's own arguments, and
// what they come to once the object's status is known.
//
// Invariant: what a client is told of an object comes from `stat` alone; the bytes' server is never
// believed on whether it exists, nor on its size or time.

import Reactor

final class ObjectRequest: Sendable {
  let collection: any Collection
  let key: ObjectKey
  /// In the collection, absolute: the bucket's root folder and the key.
  let path: String
  let arguments: ObjectArguments
  let trace: UpstreamTrace
  /// Where a person signs in for this bucket.
  let signInURL: @Sendable () -> String

  init(
    collection: any Collection, key: ObjectKey, path: String, arguments: ObjectArguments,
    trace: UpstreamTrace, signInURL: @escaping @Sendable () -> String
  ) {
    self.collection = collection
    self.key = key
    self.path = path
    self.arguments = arguments
    self.trace = trace
    self.signInURL = signInURL
  }
}

/// The arguments of a HEAD or GET, checked as far as they can be without the object.
struct ObjectArguments: Sendable {
  let conditions: Conditions
  let range: ByteRange?
  /// `?partNumber`: the object is a single part, number 1.
  let hasPartNumber: Bool
  /// Headers that `response-…` parameters ask for.
  let overrides: [(name: String, value: String)]

  init(query: Query, header: (String) -> String?) throws(S3Error) {
    if let version = query["versionId"], version != "null" { throw S3Error(.noSuchVersion) }
    if let part = query["partNumber"] {
      guard let number = Int(part), 1...10_000 ~= number else {
        throw S3Error(.invalidArgument, "partNumber must be from 1 to 10000.")
      }
      guard number == 1 else { throw S3Error(.invalidPartNumber) }
      guard header("range") == nil else {
        throw S3Error(.invalidRequest, "A request can't have both a Range and a partNumber.")
      }
    }
    hasPartNumber = query.contains("partNumber")
    conditions = Conditions(
      ifMatch: header("if-match"), ifNoneMatch: header("if-none-match"),
      ifModifiedSince: header("if-modified-since"),
      ifUnmodifiedSince: header("if-unmodified-since"), ifRange: header("if-range"))
    range = hasPartNumber ? .from(0) : header("range").flatMap { ByteRange($0) }
    overrides = try Self.overrides(query)
  }

  private static func overrides(
    _ query: Query
  ) throws(S3Error) -> [(name: String, value: String)] {
    var overrides: [(name: String, value: String)] = []
    for (parameter, name) in overridable {
      guard let value = query[parameter], !value.isEmpty else { continue }
      guard !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
        throw S3Error(
          .invalidArgument, "The value of \(parameter) has a control character in it.",
          details: [("ArgumentName", parameter)])
      }
      overrides.append((name, value))
    }
    return overrides
  }

  private static let overridable = [
    ("response-cache-control", "Cache-Control"),
    ("response-content-disposition", "Content-Disposition"),
    ("response-content-encoding", "Content-Encoding"),
    ("response-content-language", "Content-Language"),
    ("response-content-type", "Content-Type"), ("response-expires", "Expires"),
  ]
}

/// An answer's head as `stat` and the arguments decide it.
struct ObjectHead: Sendable {
  let status: Int
  let headers: Headers
  /// Of the object, and when it was changed.
  let size: UInt64
  let modified: Int64
  /// The bytes that a GET sends; nil when it sends none.
  let range: ClosedRange<UInt64>?

  /// Whether all of the object is to be read.
  var isWhole: Bool { status == 200 }
  /// Content-Length of a GET's answer.
  var length: UInt64 { range.map { $0.upperBound - $0.lowerBound + 1 } ?? 0 }

  func reply(_ body: Reply.Body = .bytes([])) -> Reply {
    Reply(status: status, headers: headers, body: body, objectSize: size)
  }
}

extension ObjectRequest {
  /// The head of the answer for an object of that status, 304 included. Throws NoSuchKey,
  /// PreconditionFailed and InvalidRange.
  @Loop func head(_ file: FileStatus) throws(S3Error) -> ObjectHead {
    try requireKind(of: file)
    return try head(file, describe(file))
  }

  @Loop func head(_ file: RememberedFile) throws(S3Error) -> ObjectHead {
    try requireKind(of: file.status)
    let description = file.description ?? describe(file.status)
    file.description = description
    return try head(file.status, description)
  }

  @Loop private func describe(_ file: FileStatus) -> FileDescription {
    let etag = etag(of: file)
    return FileDescription(
      etag: etag,
      headers: [
        "ETag": etag.description, "Last-Modified": HTTPDate.format(file.modified),
        "Accept-Ranges": "bytes",
      ])
  }

  @Loop private func head(
    _ file: FileStatus, _ description: FileDescription
  ) throws(S3Error) -> ObjectHead {
    let size = size(of: file)
    let etag = description.etag
    var headers = Headers()
    headers.add(description.headers)
    switch arguments.conditions.evaluate(etag: etag, modified: file.modified) {
    case .proceed: break
    case .preconditionFailed(let condition):
      // Without Last-Modified: from that curl would make a 304 of it (`-z`).
      throw S3Error(
        .preconditionFailed, headers: [("ETag", etag.description)],
        details: [("Condition", condition)])
    case .notModified:
      return ObjectHead(
        status: 304, headers: headers, size: size, modified: file.modified, range: nil)
    }
    addDescription(to: &headers)
    let counts = arguments.conditions.allowRange(etag: etag, modified: file.modified)
    guard let range = arguments.range, counts, !(arguments.hasPartNumber && size == 0) else {
      return ObjectHead(
        status: 200, headers: headers, size: size, modified: file.modified,
        range: size > 0 ? 0...(size - 1) : nil)
    }
    guard let bytes = range.resolve(size: size) else { throw .invalidRange(size: size) }
    headers.add("Content-Range", "bytes \(bytes.lowerBound)-\(bytes.upperBound)/\(size)")
    return ObjectHead(
      status: 206, headers: headers, size: size, modified: file.modified, range: bytes)
  }

  /// Throws NoSuchKey when the key does not name a thing of that kind.
  func requireKind(of file: FileStatus) throws(S3Error) {
    guard file.kind == (key.isFolder ? .directory : .file) else { throw S3Error(.noSuchKey) }
  }

  /// In S3's eyes, where a folder is an empty object.
  func size(of file: FileStatus) -> UInt64 { key.isFolder ? 0 : file.size }

  @Loop func etag(of file: FileStatus) -> ETag {
    ETag(collection: collection.id, path: path, size: size(of: file), modified: file.modified)
  }

  private func addDescription(to headers: inout Headers) {
    let overrides = arguments.overrides
    if !overrides.contains(where: { $0.name == "Content-Type" }) {
      headers.add(
        "Content-Type",
        key.isFolder ? ContentType.folder : ContentType.of(key.fileExtension))
    }
    for override in overrides { headers.add(override.name, override.value) }
    headers.add(Self.confinement)
  }

  /// Somebody else's file must not run as a page of this origin, whose pages handle sign-ins.
  private static let confinement: Headers = [
    "Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff",
  ]

  /// The object's status, if it is remembered: then nothing need be asked at the same time.
  @Loop var remembered: RememberedFile? { collection.remembered(path) }

  /// The object's status; `fresh`: not a remembered one.
  @Loop func stat(fresh: Bool = false) async throws(S3Error) -> FileStatus {
    do throws(GlobusError) {
      return fresh
        ? try await collection.freshStat(path, trace: trace)
        : try await collection.stat(path, trace: trace)
    } catch {
      throw S3Error(error, signInURL: signInURL())
    }
  }
}
