// SPDX-License-Identifier: Apache-2.0

package prismsim

// Places in the catalogue that worlds refer to by name.
const (
	productBusinessPremium = iota
	productBusinessBasic
	productE3
	productExchangeOld
	productAudio
	productAzurePlan
	productVisioRetired
	productBackup
	productDefender
	productPowerBI
	productTeamsRooms
	productAzureOld
	productWindowsServer
	productTiered
)

// catalogue is the built-in price list: new commerce codes, old offers that
// subscriptions name by their SKU, metered products, one that is retired and
// thus missing from the price list, one in tiers.
var catalogue = []Product{
	productBusinessPremium: {
		ID: "3f0e8c52-1111-ec11-8c62-000d3ad20001", Name: "Microsoft 365 Business Premium (NCE)",
		FriendlyName: "Microsoft 365 Business Premium", Group: "Microsoft 365", SKU: "CFQ7TTC0LCHC:0002",
		UnitPrice: "27.36", Retail: "32.9", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Monthly", BillingCycleDuration: 1,
	},
	productBusinessBasic: {
		ID: "3f0e8c52-1112-ec11-8c62-000d3ad20001", Name: "Microsoft 365 Business Basic (NCE)",
		FriendlyName: "Microsoft 365 Business Basic", Group: "Microsoft 365", SKU: "CFQ7TTC0LH18:0001",
		UnitPrice: "7.45", Retail: "9", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Monthly", BillingCycleDuration: 1,
	},
	productE3: {
		ID: "3f0e8c52-1113-ec11-8c62-000d3ad20001", Name: "Microsoft 365 E3 (NCE)",
		FriendlyName: "Microsoft 365 E3", Group: "Microsoft 365", SKU: "CFQ7TTC0LFLX:0001",
		UnitPrice: "551.4", Retail: "658.8", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Annual", BillingCycleDuration: 1,
	},
	productExchangeOld: {
		ID: "3f0e8c52-2001-e811-a812-000d3ad20002", Name: "Exchange Online (Plan 1)",
		FriendlyName: "Exchange Online (Plan 1)", Group: "Exchange", SKU: "195416C1-3447-423A-B37B-EE59A99A19C4",
		UnitPrice: "5.1", Retail: "6", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Monthly", BillingCycleDuration: 1, BySKU: true,
	},
	productAudio: {
		ID: "3f0e8c52-2002-e811-a812-000d3ad20002", Name: "Audio Conferencing (NCE)",
		FriendlyName: "Audio Conferencing", Group: "Teams", SKU: "CFQ7TTC0LHSL:0001",
		UnitPrice: "4.9", Retail: "5.9", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Monthly", BillingCycleDuration: 1,
	},
	productAzurePlan: {
		ID: "3f0e8c52-2222-ea11-a812-000d3ad20002", Name: "Azure plan",
		FriendlyName: "Azure plan", Group: "Azure", SKU: "DZH318Z0BPS6:0001",
		Unit: UnitUsage, Template: "Azure", BillingCycle: "Monthly", BillingCycleDuration: 1,
	},
	productVisioRetired: {
		ID: "3f0e8c52-2003-e711-a812-000d3ad20002", Name: "Visio Pro for Office 365",
		FriendlyName: "Visio Pro for Office 365", Group: "Office", SKU: "B4D4B7F4-4089-43B6-9C44-DE97B760FB11",
		UnitPrice: "19.8", Retail: "23.7", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Monthly", BillingCycleDuration: 1, Retired: true,
	},
	productBackup: {
		ID: "3f0e8c52-3001-eb11-a812-000d3ad20003", Name: "Cloud Backup per User",
		FriendlyName: "Cloud Backup per User", Group: "Backup", SKU: "CBU-100",
		UnitPrice: "3.25", Retail: "4.5", Unit: UnitUser, Template: "Generic", BillingCycle: "Monthly", BillingCycleDuration: 1,
	},
	productDefender: {
		ID: "3f0e8c52-1114-ec11-8c62-000d3ad20001", Name: "Microsoft Defender for Business (NCE)",
		FriendlyName: "Microsoft Defender for Business", Group: "Security", SKU: "CFQ7TTC0J1GB:0003",
		UnitPrice: "3.73", Retail: "4.5", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Monthly", BillingCycleDuration: 1,
	},
	productPowerBI: {
		ID: "3f0e8c52-2004-e811-a812-000d3ad20002", Name: "Power BI Pro",
		FriendlyName: "Power BI Pro", Group: "Power Platform", SKU: "800F4F3B-CFE1-42C1-9CEA-675512810488",
		UnitPrice: "11.2", Retail: "13.7", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Annual", BillingCycleDuration: 1, BySKU: true,
	},
	productTeamsRooms: {
		ID: "3f0e8c52-1115-ec11-8c62-000d3ad20001", Name: "Microsoft Teams Rooms Pro (NCE)",
		FriendlyName: "Microsoft Teams Rooms Pro", Group: "Teams", SKU: "CFQ7TTC0QW7C:0001",
		UnitPrice: "1699.5", Retail: "2016", Unit: UnitLicenses, Template: "Office365", BillingCycle: "Annual", BillingCycleDuration: 3,
	},
	productAzureOld: {
		ID: "3f0e8c52-2005-e711-a812-000d3ad20002", Name: "Microsoft Azure",
		FriendlyName: "Microsoft Azure", Group: "Azure", SKU: "MS-AZR-0145P",
		Unit: UnitUsage, Template: "Azure", BillingCycle: "Monthly", BillingCycleDuration: 1,
	},
	productWindowsServer: {
		ID: "3f0e8c52-4001-eb11-a812-000d3ad20004", Name: "Windows Server 2022 Standard, 8 Core, 3 years",
		FriendlyName: "Windows Server 2022 Standard", Group: "Software", SKU: "DG7GMGF0D65N:0003",
		UnitPrice: "1043.125", Retail: "1240", Unit: UnitLicenses, Template: "Software", BillingCycle: "Annual", BillingCycleDuration: 3,
	},
	productTiered: {
		ID: "3f0e8c52-5001-eb11-a812-000d3ad20005", Name: "Cloud Backup Storage, tier 2",
		FriendlyName: "Cloud Backup Storage, tier 2", Group: "Backup", SKU: "CBS-200-T2",
		UnitPrice: "0.021", Retail: "0.03", Unit: UnitLicenses, Template: "Generic", BillingCycle: "Monthly", BillingCycleDuration: 1, Tiered: true,
	},
}

// Catalogue returns a copy of the built-in products.
func Catalogue() []Product { return append([]Product(nil), catalogue...) }

// Of returns a subscription to the product as a new order would give it:
// active, with the product's names, unit, price and cycle.
func (p *Product) Of(id string, quantity int64) Subscription {
	return Subscription{
		ID: id, Status: StatusActive, ProductID: p.SubscriptionProductID(), ProductName: p.Name, FriendlyName: p.FriendlyName,
		Quantity: quantity, Unit: p.Unit, UnitPrice: p.UnitPrice, BillingCycle: p.BillingCycle,
		BillingCycleDuration: p.BillingCycleDuration, DisplayTemplate: p.Template,
	}
}
