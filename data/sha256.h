// SHA-256 of files, and base64. Only sha256.cpp names OpenSSL (its libcrypto).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::data {

std::string sha256_file(const std::string& path);  // 64 hexadecimal digits; an unreadable file is an error (Fault::input)
std::string base64(const std::vector<uint8_t>& bytes);

}  // namespace hv::data
