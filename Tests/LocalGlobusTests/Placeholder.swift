import Testing

@testable import LocalGlobus
