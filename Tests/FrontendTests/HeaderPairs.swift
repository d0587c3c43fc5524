// Requests to be authorized, from headers as pairs of texts.

import Reactor

@testable import Frontend

extension Authorization {
  init(headers: [(name: String, value: String)], query: Query) throws(S3Error) {
    try self.init(headers: RequestHeaders(headers), query: query)
  }
}

extension SignedRequest {
  init(
    method: String, path: String, query: Query, headers: [(name: String, value: String)],
    virtualBucket: String? = nil
  ) {
    self.init(
      method: method, path: path, query: query, headers: RequestHeaders(headers),
      virtualBucket: virtualBucket)
  }
}
