// Listing: one page of ListObjects, ListObjectsV2 or ListObjectVersions, made from the entries of
// one folder.
//
// Keys are compared as S3 does, by their UTF-8 bytes, a folder's with the "/" at its end. What is
// listed depends on the folder and the last key of the page before alone, so any process can go on.
// A listing is exact or refused: without a delimiter only a folder that has no folders in it is.

/// Which of S3's three listings of a bucket.
enum ListingForm: Sendable, Equatable {
  case version1, version2
  /// Of versions, of which every object here has one, named null.
  case versions

  var operation: String {
    switch self {
    case .version1: "ListObjects"
    case .version2: "ListObjectsV2"
    case .versions: "ListObjectVersions"
    }
  }
}

/// What a listing asks for.
struct ListingRequest: Sendable, Equatable {
  let form: ListingForm
  var prefix = ""
  var delimiter: String?
  var maxKeys = Limits.listedKeys
  /// Keys up to and with this one are left out.
  var after = ""
  /// As they came, to be repeated in the answer.
  var startAfter: String?
  var continuationToken: String?
  var encodesKeys = false
  var fetchesOwner = false

  /// `open` opens a continuation token, nil when it is none of ours.
  init(_ form: ListingForm, query: Query, open: (String) -> String?) throws(S3Error) {
    self.form = form
    if let type = query["list-type"], type != "2" {
      throw Self.invalid("list-type", "list-type must be 2.")
    }
    prefix = query["prefix"] ?? ""
    delimiter = query["delimiter"].flatMap { $0.isEmpty ? nil : $0 }
    if let text = query["max-keys"], !text.isEmpty {
      guard let number = Int(text), 0...Int(Int32.max) ~= number else {
        throw Self.invalid("max-keys", "max-keys must be a number from 0 to 2147483647.")
      }
      maxKeys = min(number, Limits.listedKeys)
    }
    if let type = query["encoding-type"], !type.isEmpty {
      guard type == "url" else { throw Self.invalid("encoding-type", "encoding-type must be url.") }
      encodesKeys = true
    }
    fetchesOwner = form != .version2 || query["fetch-owner"] == "true"
    switch form {
    case .version1: startAfter = query["marker"]
    case .version2: startAfter = query["start-after"]
    case .versions: startAfter = try Self.keyMarker(query)
    }
    after = startAfter ?? ""
    if form == .version2, let token = query["continuation-token"] {
      guard let last = open(token) else {
        throw Self.invalid("continuation-token", "The continuation token was not issued here.")
      }
      continuationToken = token
      after = last
    }
  }

  /// The key after whose only version a listing of versions begins.
  private static func keyMarker(_ query: Query) throws(S3Error) -> String? {
    let key = query["key-marker"] ?? ""
    let version = query["version-id-marker"] ?? ""
    guard version.isEmpty || !key.isEmpty else {
      throw invalid("version-id-marker", "A version-id-marker needs a key-marker beside it.")
    }
    guard version.isEmpty || version == "null" else {
      throw invalid("version-id-marker", "Objects here have the version null only.")
    }
    return key
  }

  private static func invalid(_ name: String, _ message: String) -> S3Error {
    S3Error(.invalidArgument, message, details: [("ArgumentName", name)])
  }

  /// The folder whose entries decide, without "/" at its ends; nil when the prefix can't be the
  /// beginning of a key, so that nothing is listed.
  var folder: String? {
    guard let slash = prefix.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    let folder = String(prefix[..<slash])
    guard !folder.isEmpty, let encoded = try? ObjectKey(encoded: PercentEncoding.path(folder)),
      encoded.description == folder, !encoded.isFolder
    else { return nil }
    return folder
  }
}

extension ListingRequest {
  /// Where `after` lies among the entries of a folder, whose key is `folder` ("" or with "/").
  enum Position: Equatable {
    /// One of them follows it.
    case before
    /// None follows it but what may be in the folder of this key.
    case inside(String)
    case behind
  }

  func position(in folder: String, _ entries: [FolderEntry]) -> Position {
    let after = Array(after.utf8)
    var position = Position.behind
    for entry in entries where entry.isListable(in: folder) {
      let isFolder = entry.status.kind == .directory
      let key = folder + entry.name + (isFolder ? "/" : "")
      if after.lexicographicallyPrecedes(key.utf8) { return .before }
      if isFolder, after.starts(with: key.utf8) { position = .inside(key) }
    }
    return position
  }

  /// The folder among `entries` of `folder` that would be a common prefix and has `after` in it.
  func opened(_ entries: [FolderEntry]) -> String? {
    guard delimiter == "/", let folder, !after.isEmpty else { return nil }
    let start = folder.isEmpty ? "" : folder + "/"
    return entries.lazy.filter { $0.status.kind == .directory }.map { start + $0.name + "/" }
      .first { after.utf8.starts(with: $0.utf8) && !after.utf8.elementsEqual($0.utf8) }
  }
}

/// A page's keys and common prefixes in order, and whether more follow.
struct ListingPage: Sendable {
  enum Item: Sendable {
    case object(key: String, FileStatus)
    /// Ends in "/".
    case commonPrefix(String)

    var key: String {
      switch self {
      case .object(let key, _): key
      case .commonPrefix(let prefix): prefix
      }
    }
  }

  private(set) var items: [Item] = []
  private(set) var isTruncated = false

  /// The key after which the next page begins.
  var last: String? { isTruncated ? items.last?.key : nil }

  init() {}

  /// `entries` are those of `request.folder`. `passed` is a common prefix in which `request.after`
  /// lies and in which nothing follows it.
  init(
    _ request: ListingRequest, entries: [FolderEntry], passed: String? = nil
  ) throws(S3Error) {
    let folder = request.folder.map { $0.isEmpty ? "" : $0 + "/" } ?? ""
    let prefix = Array(request.prefix.utf8)
    let after = Array(request.after.utf8)
    guard request.maxKeys > 0 else { return }
    var found: [(bytes: [UInt8], item: Item)] = []
    for entry in entries {
      guard entry.isListable(in: folder) else { continue }
      let isFolder = entry.status.kind == .directory
      let key = folder + entry.name + (isFolder ? "/" : "")
      let bytes = Array(key.utf8)
      guard bytes.starts(with: prefix) else { continue }
      if isFolder, request.delimiter != "/" { throw Self.deep }
      guard
        after.lexicographicallyPrecedes(bytes)
          || isFolder && after != bytes && after.starts(with: bytes) && key != passed
      else { continue }
      found.append((bytes, isFolder ? .commonPrefix(key) : .object(key: key, entry.status)))
    }
    if let delimiter = request.delimiter, delimiter != "/" { throw Self.deep }
    found.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    items = found.prefix(request.maxKeys).map(\.item)
    isTruncated = found.count > request.maxKeys
  }

  private static let deep = S3Error(
    .notImplemented,
    "Only one folder is listed at a time: use the delimiter \"/\". Listing everything below a "
      + "folder is not supported yet.")
}

/// One name in a folder.
struct FolderEntry: Sendable, Equatable {
  let name: String
  let status: FileStatus

  /// Whether the entry has a key by which it could be fetched; others are left out.
  fileprivate func isListable(in folder: String) -> Bool {
    guard status.kind != .other, !name.utf8.contains(UInt8(ascii: "/")),
      let key = try? ObjectKey(encoded: PercentEncoding.path(folder + name))
    else { return false }
    return key.description == folder + name
  }
}
