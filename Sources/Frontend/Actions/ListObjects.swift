// ListObjects: the three listings of a bucket (ListObjects, ListObjectsV2, ListObjectVersions), one
// folder at a time, from one call to Transfer, unless the listing begins inside a common prefix.

import Reactor

@Loop struct ListObjects {
  let form: ListingForm
  let collection: any Collection
  /// The bucket's root folder, absolute, without "/" at its end; empty for the collection's own.
  let root: String
  let query: Query
  let tokens: ContinuationToken
  let trace: UpstreamTrace
  let signInURL: @Sendable () -> String

  func run() async throws(S3Error) -> Reply {
    let request = try ListingRequest(form, query: query) { tokens.open($0) }
    var page = ListingPage()
    if let folder = request.folder {
      let entries = try await entries(of: folder)
      page = try ListingPage(request, entries: entries, passed: try await passed(request, entries))
    }
    let document =
      switch form {
      case .version1: version1(request, page)
      case .version2: version2(request, page)
      case .versions: versions(request, page)
      }
    return .document(document)
  }

  /// A folder that does not exist has no entries, as in S3.
  private func entries(of folder: String) async throws(S3Error) -> [FolderEntry] {
    let path = root + (folder.isEmpty ? "" : "/" + folder)
    do throws(GlobusError) {
      return try await collection.list(path.isEmpty ? "/" : path, trace: trace)
    } catch .notFound {
      return []
    } catch {
      throw S3Error(error, signInURL: signInURL())
    }
  }

  /// The common prefix that a listing begins in when nothing in it follows, so that it does not
  /// count any more. One call for each level of the key; what can't be looked into may have more.
  private func passed(
    _ request: ListingRequest, _ entries: [FolderEntry]
  ) async throws(S3Error) -> String? {
    guard let opened = request.opened(entries) else { return nil }
    var folder = opened
    for _ in 0..<Limits.listedLevels {
      let below: [FolderEntry]
      do throws(S3Error) {
        below = try await self.entries(of: String(Substring(folder.utf8.dropLast())))
      } catch {
        if error.code == .accessDenied { return nil }
        throw error
      }
      switch request.position(in: folder, below) {
      case .before: return nil
      case .inside(let deeper): folder = deeper
      case .behind: return opened
      }
    }
    return nil
  }

  private func versions(_ request: ListingRequest, _ page: ListingPage) -> XML {
    result(request, page, of: "ListVersionsResult") { xml in
      xml.element("KeyMarker", encoded(request.after, request))
      xml.element("VersionIdMarker", request.after.isEmpty ? "" : "null")
      if let last = page.last {
        xml.element("NextKeyMarker", encoded(last, request))
        xml.element("NextVersionIdMarker", "null")
      }
    }
  }

  private func version2(_ request: ListingRequest, _ page: ListingPage) -> XML {
    result(request, page) { xml in
      xml.element("KeyCount", "\(page.items.count)")
      if let token = request.continuationToken { xml.element("ContinuationToken", token) }
      if let last = page.last { xml.element("NextContinuationToken", tokens.seal(last)) }
      if let after = request.startAfter { xml.element("StartAfter", encoded(after, request)) }
    }
  }

  private func version1(_ request: ListingRequest, _ page: ListingPage) -> XML {
    result(request, page) { xml in
      xml.element("Marker", encoded(request.startAfter ?? "", request))
      if request.delimiter != nil, let last = page.last {
        xml.element("NextMarker", encoded(last, request))
      }
    }
  }

  private func result(
    _ request: ListingRequest, _ page: ListingPage, of root: String = "ListBucketResult",
    _ position: (inout XML) -> Void
  ) -> XML {
    var xml = XML()
    xml.document(root) { xml in
      xml.element("Name", collection.id.description)
      xml.element("Prefix", encoded(request.prefix, request))
      if let delimiter = request.delimiter {
        xml.element("Delimiter", encoded(delimiter, request))
      }
      xml.element("MaxKeys", "\(request.maxKeys)")
      if request.encodesKeys { xml.element("EncodingType", "url") }
      xml.element("IsTruncated", "\(page.isTruncated)")
      position(&xml)
      for item in page.items {
        guard case .object(let key, let status) = item else { continue }
        object(key, status, request, &xml)
      }
      for item in page.items {
        guard case .commonPrefix(let prefix) = item else { continue }
        xml.element("CommonPrefixes") { $0.element("Prefix", encoded(prefix, request)) }
      }
    }
    return xml
  }

  private func object(
    _ key: String, _ status: FileStatus, _ request: ListingRequest, _ xml: inout XML
  ) {
    let etag = ETag(
      collection: collection.id, path: root + "/" + key, size: status.size,
      modified: status.modified)
    xml.element(form == .versions ? "Version" : "Contents") { xml in
      xml.element("Key", encoded(key, request))
      if form == .versions {
        xml.element("VersionId", "null")
        xml.element("IsLatest", "true")
      }
      xml.element("LastModified", HTTPDate.formatISO(status.modified))
      xml.element("ETag", etag.description)
      xml.element("Size", "\(status.size)")
      if request.fetchesOwner { xml.element("Owner") { $0.element("ID", Probe.owner) } }
      xml.element("StorageClass", "STANDARD")
    }
  }

  /// As botocore decodes it: "+" as %2B, a space as %20, "/" as it is.
  private func encoded(_ text: String, _ request: ListingRequest) -> String {
    request.encodesKeys ? PercentEncoding.path(text) : text
  }
}
