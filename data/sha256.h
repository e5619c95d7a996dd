// SHA-256 of files, through OpenSSL's libcrypto (named only here).
#pragma once

#include <string>

namespace hv::data {

std::string sha256_file(const std::string& path);  // 64 hexadecimal digits; an unreadable file is an error (Fault::input)

}  // namespace hv::data
