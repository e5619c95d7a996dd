// What each subnetwork costs: parameters and MACs, with and without norms, against the published tables.
#include <doctest/doctest.h>

#include <cmath>

#include "models/hydravit.h"

using namespace hv;

TEST_CASE("costs: parameters and MACs in both conventions, by formula") {
  const std::vector<models::Cost> deit = models::costs(models::to_config(models::preset("deit")));
  // Published: 5.72 M and 1.26 G (timm), 22.05 M and 4.61 G, 86.57 M, 17.56 G (torchvision) and 17.58 G (timm).
  const int64_t params[] = {5717416, 9982184, 15426600, 22050664, 29854376, 38837736, 49000744, 60343400, 72865704, 86567656};
  const double plain[] = {1.2537, 2.1364, 3.2514, 4.5989, 6.1787, 7.9910, 10.0356, 12.3126, 14.8220, 17.5638};
  const double norms[] = {1.2584, 2.1427, 3.2593, 4.6083, 6.1898, 8.0036, 10.0498, 12.3284, 14.8394, 17.5827};
  REQUIRE(deit.size() == 10);
  for (size_t i = 0; i < 10; ++i) {
    CHECK(deit[i].subnet.id == static_cast<int64_t>(i));
    CHECK(deit[i].params == params[i]);
    CHECK(std::round(static_cast<double>(deit[i].macs) / 1e5) == std::round(plain[i] * 1e4));
    CHECK(std::round(static_cast<double>(deit[i].macs_with_norms) / 1e5) == std::round(norms[i] * 1e4));
  }
  CHECK(deit[0].macs == 1253683200);
  CHECK(deit[0].macs_with_norms == 1258411200);
  CHECK(deit[3].macs_with_norms == 4608338304);
  CHECK(deit[9].macs == 17563828224);
  CHECK(deit[9].macs_with_norms == 17582740224);
  for (const char* name : {"nano", "cifar", "mlp"}) {  // as the model itself says
    const models::Config config = models::named_model(name, 7);
    const auto model = models::make_model(config, 0);
    const std::vector<models::Cost> costs = models::costs(config);
    REQUIRE(costs.size() == model->subnets().size());
    for (size_t i = 0; i < costs.size(); ++i) {
      const models::Subnet& subnet = model->subnets()[i];
      CHECK(costs[i].subnet.label == subnet.label);
      CHECK(costs[i].subnet.name == subnet.name);
      CHECK(costs[i].subnet.axes.size() == subnet.axes.size());
      CHECK(costs[i].params == model->params(subnet));
      CHECK(costs[i].macs == model->macs(subnet));
    }
  }
  CHECK_THROWS_WITH_AS(models::costs({{"model", "x"}}), doctest::Contains("unknown kind 'x'; known: hydravit, mlp"), Error);
}
