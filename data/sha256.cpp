#include "data/sha256.h"

#include <openssl/evp.h>

#include <memory>

#include "core/check.h"
#include "data/files.h"

namespace hv::data {

std::string sha256_file(const std::string& path) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  read_chunks(path, [&](std::span<const uint8_t> bytes) {
    good = good && EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1;
  });
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  good = good && EVP_DigestFinal_ex(context.get(), digest, &length) == 1;
  HV_CHECK(good, "sha256: the crypto library refused: ", path);
  std::string text;
  for (unsigned i = 0; i < length; ++i) {
    text.push_back("0123456789abcdef"[digest[i] >> 4]);
    text.push_back("0123456789abcdef"[digest[i] & 15]);
  }
  return text;
}

std::string base64(const std::vector<uint8_t>& bytes) {
  HV_CHECK(bytes.size() < size_t{1} << 30, "base64: ", bytes.size(), " bytes are too many");
  std::vector<unsigned char> text(4 * ((bytes.size() + 2) / 3) + 1);  // + 1: EVP_EncodeBlock adds a zero
  EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(bytes.size()));
  return {text.begin(), text.end() - 1};
}

}  // namespace hv::data
