// SPDX-License-Identifier: Apache-2.0

package prismsim

import "time"

// Names and ids of the world of [Demo] that a story about it needs.
const (
	DemoAgreementMicrosoft = "c0ffee00-1a2b-e811-8130-000d3a500001"
	DemoAgreementBackup    = "c0ffee00-1a2b-e811-8130-000d3a500002"

	DemoBlueGum      = "5a1e0001-2d3e-e811-8130-000d3a6600a1"
	DemoWattle       = "5a1e0002-2d3e-e811-8130-000d3a6600a1"
	DemoSouthern     = "5a1e0003-2d3e-e811-8130-000d3a6600a1"
	DemoKookaburra   = "5a1e0004-2d3e-e811-8130-000d3a6600a1"
	DemoTidewater    = "5a1e0005-2d3e-e811-8130-000d3a6600a1"
	DemoIronbark     = "5a1e0006-2d3e-e811-8130-000d3a6600a1"
	DemoJacaranda    = "5a1e0007-2d3e-e811-8130-000d3a6600a1"
	DemoOldMill      = "5a1e0008-2d3e-e811-8130-000d3a6600a1"
	demoTenantSuffix = "-2d3e-e811-8130-000d3a7700b1"
	demoSubSuffix    = "-2d3e-e911-a8c2-000d3a8800c1"
)

// DemoDays is the number of days the world of [Demo] lives through.
const DemoDays = 4

func demoTenantID(n string) string { return "7e4a" + n + demoTenantSuffix }
func demoSubID(n string) string    { return "50b5" + n + demoSubSuffix }

// Demo returns a small distributor with four days in its life: on day 1 it is
// as it is; on day 2 quantities have changed, a subscription was added, one was
// deleted and a customer renamed; on day 3 the answer for one contract
// agreement is cut short, while both agreements have changed a little; on day 4
// nothing has changed and the answer is whole again.
func Demo() *World {
	w := NewWorld(Customer{ID: "0a0a0000-2d3e-e811-8130-000d3a6600a1", Name: "Harbourside IT Pty Ltd", Address: Address{
		Street1: "2 Quay Street", City: "Sydney", State: "NSW", Postcode: "2000", Country: "Australia", CountryISOCode: "AU",
	}})
	start := time.Date(2023, time.July, 1, 0, 0, 0, 0, time.UTC)
	w.AddAgreement(Agreement{ID: DemoAgreementMicrosoft, Reference: "4800011", Start: start})
	w.AddAgreement(Agreement{ID: DemoAgreementBackup, ProgramName: "Cloud Backup", Reference: "CB-2201", Start: start})
	w.AddAgreement(Agreement{ID: "c0ffee00-1a2b-e811-8130-000d3a500003", ProgramName: "Hosting Licences", Reported: true, Start: start})

	for _, c := range []struct {
		id, number, name, domain string
		address                  Address
		deactivated              bool
	}{
		{DemoBlueGum, "0001", "Blue Gum Dental", "bluegumdental.example", demoAddress("18 Eucalypt Road", "Newcastle", "NSW", "2300"), false},
		{DemoWattle, "0002", "Wattle Street Legal", "wattlelegal.example", demoAddress("Level 3, 40 Wattle Street", "Sydney", "NSW", "2007"), false},
		{DemoSouthern, "0003", "Southern Surveying", "southernsurvey.example", demoAddress("5 Harbour Parade", "Hobart", "TAS", "7000"), false},
		{DemoKookaburra, "0004", "Kookaburra Freight Holdings Pty Ltd", "kookaburra.example", demoAddress("77 Depot Road", "Brisbane", "QLD", "4000"), false},
		{DemoTidewater, "0005", "Tidewater Accounting", "tidewater.example", demoAddress("9 Marina Drive", "Fremantle", "WA", "6160"), false},
		{DemoIronbark, "0006", "Ironbark Builders", "ironbark.example", demoAddress("120 Timber Lane", "Ballarat", "VIC", "3350"), false},
		{DemoJacaranda, "0007", "Jacaranda Early Learning", "jacaranda.example", demoAddress("31 School Street", "Grafton", "NSW", "2460"), false},
		{DemoOldMill, "0008", "Old Mill Bakery", "oldmill.example", demoAddress("1 Mill Lane", "Bendigo", "VIC", "3550"), true},
	} {
		w.AddCustomer(Customer{ID: c.id, Name: c.name, Address: c.address, Deactivated: c.deactivated})
		w.AddTenant(Tenant{
			ID: demoTenantID(c.number), AgreementID: DemoAgreementMicrosoft, CustomerID: c.id, Domain: c.domain,
			NullSubscriptions: c.deactivated,
		})
	}
	for _, s := range []struct {
		tenant, id string
		product    int
		quantity   int64
	}{
		{"0001", "0101", productBusinessPremium, 14},
		{"0001", "0102", productExchangeOld, 3},
		{"0002", "0201", productE3, 22},
		{"0002", "0202", productVisioRetired, 2},
		{"0003", "0301", productBusinessBasic, 9},
		{"0004", "0401", productBusinessPremium, 41},
		{"0004", "0402", productAzurePlan, 1},
		{"0005", "0501", productBusinessPremium, 6},
		{"0005", "0502", productPowerBI, 2},
		{"0006", "0601", productBusinessBasic, 17},
		{"0007", "0701", productBusinessBasic, 25},
		{"0007", "0702", productDefender, 25},
	} {
		w.AddSubscription(demoTenantID(s.tenant), catalogue[s.product].Of(demoSubID(s.id), s.quantity))
	}
	w.AddAddon(demoSubID("0401"), catalogue[productAudio].Of(demoSubID("0403"), 5))

	for _, b := range []struct {
		tenant, customer, id string
		quantity             int64
	}{{"0021", DemoWattle, "0203", 24}, {"0041", DemoKookaburra, "0404", 46}, {"0061", DemoIronbark, "0602", 17}} {
		w.AddTenant(Tenant{ID: demoTenantID(b.tenant), AgreementID: DemoAgreementBackup, CustomerID: b.customer})
		w.AddSubscription(demoTenantID(b.tenant), catalogue[productBackup].Of(demoSubID(b.id), b.quantity))
	}

	w.base = w.snapshot().(*worldState)
	w.days = []demoDay{{}, {edit: demoDay2}, {edit: demoDay3, faults: []Fault{{Endpoint: Tenants, ID: DemoAgreementBackup, Kind: FaultCut}}}, {edit: demoDay4}}
	return w
}

func demoAddress(street, city, state, postcode string) Address {
	return Address{Street1: street, City: city, State: state, Postcode: postcode, Country: "Australia", CountryISOCode: "AU"}
}

func demoDay2(w *World) {
	w.SetToday(time.Date(2025, time.March, 15, 0, 0, 0, 0, time.UTC))
	w.SetQuantity(demoSubID("0101"), 16)
	w.SetQuantity(demoSubID("0404"), 44)
	w.AddSubscription(demoTenantID("0005"), catalogue[productDefender].Of(demoSubID("0503"), 6))
	w.RemoveSubscription(demoSubID("0202"))
	w.Rename(DemoBlueGum, "Blue Gum Dental Group")
}

// demoDay3 changes both agreements. What it changes in the one that is cut
// short must not be seen by anybody.
func demoDay3(w *World) {
	w.SetToday(time.Date(2025, time.March, 16, 0, 0, 0, 0, time.UTC))
	w.SetQuantity(demoSubID("0601"), 19)
	w.SetQuantity(demoSubID("0203"), 26)
	w.RemoveTenant(demoTenantID("0061"))
}

// demoDay4 changes nothing but the date.
func demoDay4(w *World) { w.SetToday(time.Date(2025, time.March, 17, 0, 0, 0, 0, time.UTC)) }
