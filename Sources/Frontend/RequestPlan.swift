// RequestPlan: what a request asks for and whether it may, before anything is done: address, action
// and credential, found without a call to anybody.
//
// Invariant: as much as can be understood is filled in even when `error` refuses the request, so
// that refusals are recorded under the right action, bucket and person.

import Reactor

@Loop final class RequestPlan {
  private(set) var action: Action?
  private(set) var address: RequestAddress?
  private(set) var query: Query?
  private(set) var collection: CollectionID?
  private(set) var key: ObjectKey?
  private(set) var authentication: Authenticator.Result?
  /// What the credential opens of it.
  private(set) var bucket: OpenedBucket?
  /// Whether who asks has a credential that opens the bucket: nobody else's body is read.
  private(set) var mayReadBody = false
  private(set) var error: S3Error?

  /// The name in the audit.
  var operation: String { action?.operation ?? "Unknown" }

  /// The key in the audit: decoded as far as it can be, without a leading "/".
  var objectKey: String? {
    if let key { return key.description }
    guard let encoded = address?.encodedKey else { return nil }
    let bytes = PercentEncoding.decode(encoded.utf8) ?? Array(encoded.utf8)
    return String(decoding: bytes.drop { $0 == UInt8(ascii: "/") }, as: UTF8.self)
  }

  /// `now` are Unix seconds.
  init(
    _ head: RequestHead, baseURL: BaseURL, authenticator: Authenticator,
    collections: any CollectionOpening, now: Int64
  ) {
    do throws(S3Error) {
      try plan(head, baseURL, authenticator, collections, now)
    } catch {
      self.error = error
    }
  }

  private func plan(
    _ head: RequestHead, _ baseURL: BaseURL, _ authenticator: Authenticator,
    _ collections: any CollectionOpening, _ now: Int64
  ) throws(S3Error) {
    if let authority = head.authority, !RequestAddress.isServed(authority, at: baseURL.host) {
      throw S3Error(.invalidURI, "This server is no proxy: the request's target is elsewhere.")
    }
    let address = try RequestAddress(
      host: head["host"] ?? "", target: head.target, baseHost: baseURL.host)
    self.address = address
    let query = try Query(address.encodedQuery)
    self.query = query
    let action = Action(method: head.method, level: address.level, query: query) { head[$0] }
    self.action = action
    if action == .authStart {
      // Of what is no UUID the sign-in makes a page.
      collection = try? address.collection()
      return
    }
    collection = try address.collection()
    key = try address.encodedKey.map { encoded throws(S3Error) in try ObjectKey(encoded: encoded) }
    if action == .authCallback { return }
    try query.requireUnique()
    let signInURL = { [collection] in Self.signInURL(collection, baseURL: baseURL) }
    let signed = SignedRequest(
      method: head.method, path: address.path, query: query, headers: head.headers,
      virtualBucket: address.isVirtualHosted ? address.bucket : nil)
    let who = authenticator.authenticate(signed, now: now, signInURL: signInURL())
    authentication = who
    if let error = who.error {
      guard error.code == .expiredToken, let old = who.signer?.credential else { throw error }
      throw .expired(signInURL: SignInLink(renewing: old).url(at: baseURL))
    }
    bucket = collection.flatMap { who.signer?.bucket($0, in: collections) }
    if collection != nil, bucket == nil {
      throw S3Error(
        .accessDenied,
        (action == .createBucket
          ? "Buckets are Globus collections, which are made in Globus. " : "")
          + "The credential does not open this bucket. Get one that does at \(signInURL())")
    }
    mayReadBody = true
    if action.needsLength, head["content-length"] == nil, head["transfer-encoding"] == nil {
      throw S3Error(.missingContentLength)
    }
    if let refusal = action.refusal { throw refusal }
  }

  /// Where a person signs in for a bucket, or to learn which there are.
  nonisolated static func signInURL(_ collection: CollectionID?, baseURL: BaseURL) -> String {
    "\(baseURL)/\(collection.map { "\($0)/" } ?? "")?auth"
  }
}
